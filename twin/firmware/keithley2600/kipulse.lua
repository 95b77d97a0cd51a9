-- Pulses of the factory script KIPulse, with the signatures and the data of the manual.
--
-- A train is checked when it is configured and again when it is initiated. The reading ends with the
-- pulse. Levels beyond what the instrument bears continuously are refused.
--
-- Assumed, because the manual leaves it open: texts of messages; the level stays at its bias at the
-- end, and the limit returns to what it was.

local VOLTS = {
  name = "volts", func = 1, level = "levelv", range = "rangev", limit = "limiti", reading = "i",
  auto_source = "autorangev", auto_measure = "autorangei",
}
local AMPS = {
  name = "amps", func = 0, level = "leveli", range = "rangei", limit = "limitv", reading = "v",
  auto_source = "autorangei", auto_measure = "autorangev",
}
local CONVERSION = 33e-6 -- what one conversion takes beyond its integration

local trains = {}

local function reading_time(smu)
  return smu.measure.count * (smu.measure.nplc / localnode.linefreq + CONVERSION)
end

local function misuse_of(train)
  for _, name in ipairs({ "bias", "limit", "ton", "toff", "points", "tag" }) do
    if type(train[name]) ~= "number" then return name .. " is not a number" end
  end
  for _, level in ipairs(train.levels) do
    if type(level) ~= "number" then return "level is not a number" end
  end
  if train.points < 1 then return "points is less than 1" end
  if train.ton <= 0 or train.toff <= 0 then return "ton and toff have to be above 0" end
  if train.sync_in ~= 0 or train.sync_out ~= 0 then return "digital I/O lines are not available" end
end

local function conflict_of(train)
  local smu, quantity = train.smu, train.quantity
  if smu.source.output ~= 1 then return "output is off" end
  if smu.source.func ~= quantity.func then return "source function is not " .. quantity.name end
  if smu.source[quantity.auto_source] ~= 0 then return "source autorange is on" end
  if train.buffer == nil then return nil end
  if smu.measure[quantity.auto_measure] ~= 0 then return "measure autorange is on" end
  if smu.measure.autozero == smu.AUTOZERO_AUTO then return "autozero is automatic" end
  if smu.measure.delay ~= 0 then return "measure delay is not 0" end
  if train.points > 1 and train.buffer.appendmode ~= 1 then return "append mode of buffer is off" end
  if reading_time(smu) > train.ton then return "ton is too short for a reading" end
end

local function excess_of(train)
  local top = 1.01 * train.smu.source[train.quantity.range]
  if math.abs(train.bias) > top then return "bias exceeds the source range" end
  for _, level in ipairs(train.levels) do
    if math.abs(level) > top then return "level exceeds the source range" end
  end
end

local function problem_of(train)
  return misuse_of(train) or conflict_of(train) or excess_of(train)
end

local function describe(train)
  local lines = {
    "tag = " .. train.tag, "smu = " .. (train.smu == smua and "smua" or "smub"),
    "func = " .. train.quantity.name, "type = " .. train.kind, "bias = " .. train.bias,
  }
  local function add(name, value) table.insert(lines, name .. " = " .. tostring(value)) end
  if train.kind == "pulse" then
    add("level", train.levels[1])
  else
    add("start", train.levels[1])
    add("stop", train.levels[train.points])
  end
  add("limit", train.limit)
  add("time on", train.ton)
  add("time off", train.toff)
  add("points", train.points)
  add("measure", train.buffer and "yes" or "no")
  add("sync_in", train.sync_in)
  add("sync_out", train.sync_out)
  table.insert(lines, "{ " .. table.concat(train.levels, ", ") .. " }")
  return table.concat(lines, "\n")
end

local function configure(train)
  if type(train.smu) ~= "table" or type(train.smu.source) ~= "table" then
    return false, "invalid smu"
  end
  local problem = problem_of(train)
  if problem then return false, problem end
  trains[train.tag] = train
  return true, "pulse train " .. train.tag .. " is configured"
end

local function levels_of(kind, start, stop, points)
  local levels = {}
  for k = 1, type(points) == "number" and points or 1 do
    local share = points ~= 1 and (k - 1) / (points - 1) or 0
    if kind == "log" then
      levels[k] = start * (stop / start) ^ share
    else
      levels[k] = kind == "pulse" and start or start + (stop - start) * share
    end
  end
  return levels
end

local function new_train(quantity, kind, smu, bias, start, stop, limit, ton, toff, points, buffer,
                         tag, sync_in, sync_out)
  if type(start) ~= "number" or type(stop) ~= "number" then return false, "level is not a number" end
  if kind == "log" and start * stop <= 0 then return false, "start and stop differ in sign" end
  return configure({
    quantity = quantity, kind = kind, smu = smu, bias = bias, limit = limit, ton = ton, toff = toff,
    levels = levels_of(kind, start, stop, points), points = points, buffer = buffer, tag = tag,
    sync_in = sync_in or 0, sync_out = sync_out or 0,
  })
end

local function pulse(quantity)
  return function(smu, bias, level, ...)
    return new_train(quantity, "pulse", smu, bias, level, level, unpack(arg))
  end
end

local function swept(quantity, kind)
  return function(smu, bias, start, stop, ...)
    return new_train(quantity, kind, smu, bias, start, stop, unpack(arg))
  end
end

local function run(train)
  local source, quantity, buffer = train.smu.source, train.quantity, train.buffer
  local measure = train.smu.measure[quantity.reading]
  local wait = train.ton - (buffer and reading_time(train.smu) or 0)
  local limit = source[quantity.limit]
  source[quantity.level] = train.bias
  source[quantity.limit] = train.limit
  for _, level in ipairs(train.levels) do
    source[quantity.level] = level
    delay(wait)
    if buffer then measure(buffer) end
    source[quantity.level] = train.bias
    delay(train.toff)
  end
  source[quantity.limit] = limit
end

ConfigPulseVMeasureI = pulse(VOLTS)
ConfigPulseVMeasureISweepLin = swept(VOLTS, "lin")
ConfigPulseVMeasureISweepLog = swept(VOLTS, "log")
ConfigPulseIMeasureV = pulse(AMPS)
ConfigPulseIMeasureVSweepLin = swept(AMPS, "lin")
ConfigPulseIMeasureVSweepLog = swept(AMPS, "log")

function InitiatePulseTest(tag)
  local train = trains[tag]
  if not train then return false, "tag is not configured" end
  local problem = problem_of(train)
  if problem then return false, problem end
  run(train)
  return true, "pulse train " .. tag .. " is done"
end

function QueryPulseConfig(tag)
  local train = trains[tag]
  if not train then return nil end
  return {
    tag = tag, smu = train.smu, func = train.quantity.func, bias = train.bias,
    level = train.levels[1], start = train.levels[1], stop = train.levels[train.points],
    limit = train.limit, ton = train.ton, toff = train.toff, points = train.points,
    buf = train.buffer, sync_in = train.sync_in, sync_out = train.sync_out,
    sourcevalues = train.levels, tostring = function() return describe(train) end,
  }
end

local function simple(quantity)
  return function(smu, bias, level, ton, toff, points)
    local source, buffer = smu.source, smu.nvbuffer1
    local measure = smu.measure[quantity.reading]
    local before = source[quantity.level]
    buffer.clear()
    buffer.appendmode = 1
    buffer.collecttimestamps = 1
    buffer.collectsourcevalues = 1
    source.func = quantity.func
    source[quantity.level] = bias
    source.output = 1
    for _ = 1, points do
      delay(toff)
      source[quantity.level] = level
      delay(math.max(0, ton - reading_time(smu)))
      measure(buffer)
      source[quantity.level] = bias
    end
    source.output = 0
    source[quantity.level] = before
  end
end

PulseVMeasureI = simple(VOLTS)
PulseIMeasureV = simple(AMPS)
