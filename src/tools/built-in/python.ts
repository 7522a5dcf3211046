/** `pythonInterpreter()`: Python code in an interpreter that keeps its variables. */
import type { FunctionTool } from '../tool.ts'
import { type InterpreterOptions, interpreterTool } from './interpreter-tool.ts'
import { jsonDriver, tellResult } from './json-driver.ts'

/** Options of `pythonInterpreter()`. */
export interface PythonOptions extends InterpreterOptions {
  /** The interpreter: Python 3.8 or later, for example that of a virtual environment. @default 'python3' */
  command?: string | undefined
}

/**
 * Creates a tool that runs Python code, with the rights of this process. Variables and imports stay from call to call; each
 * agent has an interpreter of its own in each run, which ends with the run. Needs Python on the machine.
 * @throws INVALID_OPTION
 */
export const pythonInterpreter = ({ command = 'python3', ...options }: PythonOptions = {}): FunctionTool =>
  interpreterTool(
    {
      maker: 'pythonInterpreter',
      name: 'IPythonInterpreter',
      description:
        'Runs Python code on the server and returns what it prints and the value of its last expression. Variables and imports stay from call to call. Top-level await works.',
      argument: 'code',
      explanation: 'Python code, of one or more lines.',
      create: ({ outputBytes }) => ({
        command,
        args: ['-u', '-c', DRIVER],
        ...jsonDriver(outputBytes),
        missing: 'Install Python 3, or name the interpreter in the option command.',
      }),
      tell: tellResult,
    },
    options,
  )

/** Reads requests from pipe 3 and answers on pipe 4, which programs that the code starts do not get. */
const DRIVER = `
import ast, asyncio, inspect, json, os, sys, traceback
for fd in (3, 4): os.set_inheritable(fd, False)
_scope = {'__name__': '__main__', '__builtins__': __builtins__}
_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
def _part(node, mode):
    code = compile(node, '<code>', mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value = eval(code, _scope)
    return _loop.run_until_complete(value) if code.co_flags & inspect.CO_COROUTINE else value
def _run(text):
    tree = ast.parse(text, '<code>', 'exec')
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    if tree.body: _part(tree, 'exec')
    return None if last is None else _part(ast.Expression(last.value), 'eval')
def _trace(error):
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename != '<code>': tb = tb.tb_next
    return ''.join(traceback.format_exception(type(error), error, tb)).rstrip()
with os.fdopen(3, encoding='utf-8') as _requests:
    for _line in _requests:
        _request = json.loads(_line)
        try:
            _value = _run(_request['code'])
            _reply = {} if _value is None else {'value': repr(_value)[:_request['limit']]}
        except SystemExit: raise
        except BaseException as _error: _reply = {'error': _trace(_error)[-_request['limit']:]}
        for _stream, _fd in ((sys.stdout, 1), (sys.stderr, 2)):
            try:
                _stream.flush()
                os.write(_fd, _request['mark'].encode())
            except Exception: pass
        os.write(4, (json.dumps(_reply) + '\\n').encode())
`
