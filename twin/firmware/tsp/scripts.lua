-- Scripts as objects: made by loadscript and script.new, kept by name, saved beyond a restart.

local sandbox, store_object = ...
local store = sandbox.to_script(store_object)
local globals = sandbox.globals
local setmetatable, type, pairs, sort = globals.setmetatable, globals.type, globals.pairs, globals.table.sort

local script = { user = { scripts = {} }, factory = { scripts = {} } }
globals.script = script

local function new_object(chunk, source, name)
  local object = { name = name, source = source, autorun = "no" }
  function object.run() return chunk() end
  function object.list()
    globals.print("loadscript" .. (object.name == "" and "" or " " .. object.name))
    globals.print(object.source)
    globals.print("endscript")
  end
  function object.save(file)
    if file or object.name == "" then return store.no_drive() end
    store.save(object.name, object.source)
  end
  return setmetatable(object, { __call = function(self) return self.run() end })
end

local function create(source, name, scripts)
  name = type(name) == "string" and name or ""
  local chunk, message = sandbox.compile(source, name == "" and "TSP" or name)
  if not chunk then return store.syntax_error(message) end
  local object = new_object(chunk, source, name)
  if name == "" then return object end
  local older = scripts[name]
  if older then older.name = "" end
  scripts[name] = object
  return object
end

function script.new(source, name)
  if type(source) ~= "string" then return store.invalid(1) end
  return create(source, name, script.user.scripts)
end

function script.newautorun(source, name)
  local object = script.new(source, name)
  if object then object.autorun = "yes" end
  return object
end

function script.run()
  if script.anonymous then return script.anonymous.run() end
end

function script.delete(name) store.delete(name) end

function script.load() return store.no_drive() end

function script.restore(name)
  local source = store.source(name)
  if source then return script.new(source, name) end
end

local function each(names)
  local k = 0
  return function()
    k = k + 1
    return names[k]
  end
end

function script.user.catalog() return each({ store.names() }) end

function script.factory.catalog()
  local names = {}
  for name in pairs(script.factory.scripts) do names[#names + 1] = name end
  sort(names)
  return each(names)
end

-- get and set as functions
function globals.makegetter(t, name) return function() return t[name] end end
function globals.makesetter(t, name) return function(value) t[name] = value end end

return {
  load = function(source, name) -- loadscript; returns whether it compiled
    local object = create(source, name, script.user.scripts)
    if object == nil then return false end
    if name == "" then script.anonymous = object else globals[name] = object end
    return true
  end,
  load_factory = function(source, name)
    local object = create(source, name, script.factory.scripts)
    object.run()
  end,
}
