-- Sweeps of the factory script KISweep, with the signatures and the data of the manual.
--
-- Assumed, because the manual leaves it open: nvbuffer1 is cleared first; the output goes off at the
-- end, and function and level return to what they were.

local VOLTS = { func = 1, level = "levelv", measure = "i" }
local AMPS = { func = 0, level = "leveli", measure = "v" }

local function check(smu, settle, points, n)
  if type(smu) ~= "table" or type(smu.nvbuffer1) ~= "table" then error("invalid smu", 3) end
  if type(settle) ~= "number" or settle < 0 then error("invalid settling time", 3) end
  if type(points) ~= "number" or points < 2 or n < points then error("invalid points", 3) end
end

local function prepare(buffer)
  buffer.clear()
  buffer.appendmode = 1
  buffer.collecttimestamps = 1
  buffer.collectsourcevalues = 1
end

local function sweep(quantity, smu, levels, settle, points)
  local source, measure = smu.source, smu.measure[quantity.measure]
  local func, level = source.func, source[quantity.level]
  prepare(smu.nvbuffer1)
  source[quantity.level] = levels[1]
  source.func = quantity.func
  source.output = 1
  for k = 1, points do
    source[quantity.level] = levels[k]
    delay(settle)
    measure(smu.nvbuffer1)
  end
  source.output = 0
  source[quantity.level] = level
  source.func = func
end

local function linear(start, stop, points)
  local levels = {}
  for k = 1, points do levels[k] = start + (stop - start) * (k - 1) / (points - 1) end
  return levels
end

local function logarithmic(start, stop, points)
  if start * stop <= 0 then error("invalid start or stop", 3) end
  local levels = {}
  for k = 1, points do levels[k] = start * (stop / start) ^ ((k - 1) / (points - 1)) end
  return levels
end

local function staircase(quantity, shape)
  return function(smu, start, stop, settle, points)
    check(smu, settle, points, points or 0)
    if type(start) ~= "number" or type(stop) ~= "number" then error("invalid start or stop", 2) end
    sweep(quantity, smu, shape(start, stop, points), settle, points)
  end
end

local function list(quantity)
  return function(smu, levels, settle, points)
    check(smu, settle, points, type(levels) == "table" and table.getn(levels) or 0)
    sweep(quantity, smu, levels, settle, points)
  end
end

SweepVLinMeasureI = staircase(VOLTS, linear)
SweepVLogMeasureI = staircase(VOLTS, logarithmic)
SweepVListMeasureI = list(VOLTS)
SweepILinMeasureV = staircase(AMPS, linear)
SweepILogMeasureV = staircase(AMPS, logarithmic)
SweepIListMeasureV = list(AMPS)
