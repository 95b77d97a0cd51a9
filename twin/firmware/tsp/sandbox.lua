-- What scripts can reach, and what stops them. Runs after library.lua and before any script.
--
-- A hook counts instructions. Once a script is stopped, every further instruction of it fails, and
-- pcall hands the failure on: no loop around a pcall outlives it. What the hook cannot interrupt,
-- the functions of C, is left out or bounded here and in strings.lua.

local host, bounds = ...

local error, pcall, type, loadstring, tostring, setmetatable, setfenv, select =
  error, pcall, type, loadstring, tostring, setmetatable, setfenv, select
local sethook, getinfo, clock, collect, byte, find, rep =
  debug.sethook, debug.getinfo, os.clock, collectgarbage, string.byte, string.find, string.rep

debug.setmetatable("", nil) -- strings have no methods in Lua 5.0

local STEP = 1000
local ALLOWED = {
  "assert", "error", "getmetatable", "ipairs", "math", "next", "pairs", "rawequal", "rawget",
  "rawset", "setmetatable", "string", "table", "tonumber", "tostring", "type", "unpack",
}
local NOT_IN_5_0 = {
  string = { "dump", "gmatch", "match", "reverse" }, table = { "maxn" },
  math = { "cosh", "fmod", "huge", "modf", "sinh", "tanh" },
}

collect("setpause", 110)

-- stopping ------------------------------------------------------------------------------------

local left, deadline, stopped = 0, 0, nil
local run, hook

local function stop(why)
  stopped = why
  sethook(hook, "", 1)
  error(why, 0)
end

local function is_full()
  if collect("count") <= bounds.memory_kb then return false end
  collect("collect")
  return collect("count") > 0.9 * bounds.memory_kb
end

function hook()
  if getinfo(2, "f").func == run then return end
  if stopped then error(stopped, 0) end
  left = left - STEP
  if left <= 0 or clock() > deadline then stop("time") end
  if is_full() then stop("memory") end
end

local function is_fatal(message)
  if type(message) ~= "string" then return nil end
  if message == "not enough memory" then return "memory" end
  -- an overflow of the C stack hits the hook as well: a loop around it would not be counted
  local overflow = find(message, "stack overflow", 1, true)
  return (overflow or message == "error in error handling") and "overflow" or nil
end

local function checked(ok, ...)
  if ok then return true, ... end
  if stopped then error(stopped, 0) end
  local why = is_fatal((...))
  if why then stop(why) end
  return false, ...
end

-- compiling and running -----------------------------------------------------------------------

-- The globals of scripts are a table of their own: the host looks things up in the real ones, and
-- a metatable there would fail where nothing catches it.
local globals = {}

local function compile(code, name)
  left = left - #code
  if byte(code, 1) == 27 then return nil, name .. ":1: unexpected symbol near `<bytecode>'" end
  local misfit = host.misfit(code)
  if misfit then return nil, name .. ":" .. misfit end
  local chunk, message = loadstring(code, "=" .. name)
  return chunk and setfenv(chunk, globals), message
end

function run(code, name)
  left, deadline, stopped = bounds.n_instructions, clock() + bounds.cpu_s, nil
  local chunk, message = compile(code, name)
  if not chunk then return "syntax", message end
  sethook(hook, "", STEP)
  local ok, problem = pcall(chunk)
  sethook()
  if stopped then return stopped end
  if ok then return "done" end
  local kind = type(problem)
  if kind ~= "string" and kind ~= "number" then problem = "error object is a " .. kind end
  return is_fatal(problem) == "memory" and "memory" or "runtime", problem
end

-- objects of the host -------------------------------------------------------------------------

local objects = setmetatable({}, { __mode = "k" })
local proxies = setmetatable({}, { __mode = "v" })
local new_proxy

local function to_script(value)
  if type(value) ~= "userdata" then return value end
  local id, is_function = host.describe(value)
  local proxy = proxies[id]
  if proxy == nil then
    proxy = new_proxy(value, is_function)
    proxies[id] = proxy
  end
  return proxy
end

local function all_to_script(n, first, ...)
  if n == 0 then return end
  if n == 1 then return to_script(first) end
  return to_script(first), all_to_script(n - 1, ...)
end

local function all_to_host(n, first, ...)
  if n == 0 then return end
  local object = first ~= nil and objects[first] or first
  if n == 1 then return object end
  return object, all_to_host(n - 1, ...)
end

-- ``status`` is true and results follow; or false and a message; or why the script has to stop
local function answer(status, ...)
  if status == true then return all_to_script(select("#", ...), ...) end
  if status == false then error((...), 3) end
  stop(status)
end

local function enter()
  if is_full() then stop("memory") end -- the host has no way to cope with a full memory
end

local function new_function(object)
  return function(...)
    enter()
    return answer(host.call(object, all_to_host(select("#", ...), ...)))
  end
end

local function new_table(object)
  local known = {}
  return setmetatable({}, {
    __index = function(_, key)
      local value = known[key]
      if value ~= nil then return value end
      enter()
      value = answer(host.get(object, key))
      local kind = type(value)
      if kind == "function" or kind == "table" then known[key] = value end
      return value
    end,
    __newindex = function(_, key, value)
      enter()
      return answer(host.set(object, key, (all_to_host(1, value))))
    end,
    __metatable = false,
  })
end

function new_proxy(object, is_function)
  local proxy = (is_function and new_function or new_table)(object)
  objects[proxy] = object
  return proxy
end

-- the library ---------------------------------------------------------------------------------

for _, name in ipairs(ALLOWED) do globals[name] = _G[name] end
for library, names in pairs(NOT_IN_5_0) do
  for _, name in ipairs(names) do globals[library][name] = nil end
end
local real = _G
for name in pairs(real) do real[name] = nil end
globals._G = globals
globals._VERSION = "Lua 5.0.2"

function globals.string.rep(s, n)
  local text = rep(s, n)
  left = left - #text
  return text
end

local function protected(...) return checked(pcall(...)) end
globals.pcall = protected

function globals.xpcall(f, handler)
  local function handled(ok, ...)
    if ok then return true, ... end
    return false, handler(...)
  end
  return handled(protected(f))
end

function globals.loadstring(code, name)
  return compile(code, type(name) == "string" and name or "string")
end

function globals.gcinfo() return collect("count"), bounds.memory_kb end

function globals.collectgarbage()
  left = left - 10 * STEP
  collect("collect")
end

return {
  run = run, compile = compile, to_script = to_script, globals = globals,
  define = function(name, object) globals[name] = to_script(object) end,
  kilobytes = function() collect("collect") return collect("count") end,
}
