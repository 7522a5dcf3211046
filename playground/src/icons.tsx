/** The icons of the page: Lucide's, by what they stand for here. */
import {
  ArrowDown,
  ArrowRight,
  ArrowUp,
  Check,
  ChevronRight,
  Copy,
  Download,
  Keyboard,
  Lightbulb,
  Link2,
  Maximize2,
  Minimize2,
  Monitor,
  Moon,
  Paperclip,
  Pencil,
  Plus,
  RotateCw,
  Search,
  Square,
  Sun,
  Trash2,
  TriangleAlert,
  Upload,
  Users,
  Wrench,
  X,
} from 'lucide-react'

const ICONS = {
  plus: Plus,
  send: ArrowUp,
  stop: Square,
  clip: Paperclip,
  link: Link2,
  close: X,
  chevron: ChevronRight,
  tool: Wrench,
  people: Users,
  arrow: ArrowRight,
  copy: Copy,
  edit: Pencil,
  again: RotateCw,
  trash: Trash2,
  save: Download,
  open: Upload,
  sun: Sun,
  moon: Moon,
  screen: Monitor,
  check: Check,
  alert: TriangleAlert,
  thought: Lightbulb,
  search: Search,
  down: ArrowDown,
  keys: Keyboard,
  wide: Maximize2,
  narrow: Minimize2,
} as const

export type IconName = keyof typeof ICONS

/** An icon next to a text or in a button with a label; hidden from screen readers. */
export function Icon({ name }: { name: IconName }) {
  const Drawing = ICONS[name]
  return <Drawing className="icon" strokeWidth={1.8} aria-hidden="true" />
}
