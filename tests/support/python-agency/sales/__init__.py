from .sales import Sales
from .tools.PriceTool import PriceTool

sales = Sales()
