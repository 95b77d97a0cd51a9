-- Functions of the string, table and math libraries that C would run without an end in sight.
--
-- Written in Lua, so that their instructions count: patterns that backtrack, text that is repeated,
-- elements that are moved. Runs first, with everything that C has to offer. As in Lua 5.0: gfind
-- instead of gmatch, and gsub drops a match for which a function returns nothing.

local string, table, math = string, table, math
local byte, sub, rep, plain_find = string.byte, string.sub, string.rep, string.find
local error, type, tostring, select, unpack, concat = error, type, tostring, select, unpack, table.concat
local floor, getn, HUGE = math.floor, table.getn, math.huge

local OPEN, CLOSE, DOLLAR, PERCENT, STAR, PLUS, MINUS, QUESTION, CARET, BRACKET, END_BRACKET, DOT =
  byte("()$%*+-?^[].", 1, 12)
local UNFINISHED, POSITION = -1, -2
local MAX_CAPTURES = 32
local MAX_PLAIN_STEPS = 1e7
local MAX_TEXT = 2 ^ 25

local match

local function text(value, place, name)
  if type(value) == "number" then return tostring(value) end
  if type(value) == "string" then return value end
  error("bad argument #" .. place .. " to `" .. name .. "' (string expected, got "
    .. (value == nil and "no value" or type(value)) .. ")", 3)
end

-- patterns ------------------------------------------------------------------------------------

local function set_end(p, at)
  if byte(p, at) == CARET then at = at + 1 end
  repeat -- the first bracket of a set is a member of it
    local c = byte(p, at)
    if not c then error("malformed pattern (missing `]')", 0) end
    at = at + (c == PERCENT and 2 or 1)
  until byte(p, at) == END_BRACKET
  return at + 1
end

local function class_end(p, at)
  local c = byte(p, at)
  if c == BRACKET then return set_end(p, at + 1) end
  if c ~= PERCENT then return at + 1 end
  if at == #p then error("malformed pattern (ends with `%')", 0) end
  return at + 2
end

local function fits(m, si, pi, after)
  local c = byte(m.text, si)
  if not c then return false end
  local first = byte(m.pattern, pi)
  if first == DOT then return true end
  if after == pi + 1 then return c == first end
  return plain_find(sub(m.text, si, si), "^" .. sub(m.pattern, pi, after - 1)) ~= nil
end

local function expand_most(m, si, pi, after)
  local n = 0
  while fits(m, si + n, pi, after) do n = n + 1 end
  for k = n, 0, -1 do
    local stop = match(m, si + k, after + 1)
    if stop then return stop end
  end
end

local function expand_least(m, si, pi, after)
  while true do
    local stop = match(m, si, after + 1)
    if stop then return stop end
    if not fits(m, si, pi, after) then return nil end
    si = si + 1
  end
end

local function open_capture(m, si, pi, length)
  local n = m.n + 1
  if n > MAX_CAPTURES then error("too many captures", 0) end
  m.n, m.from[n], m.length[n] = n, si, length
  local stop = match(m, si, pi)
  if not stop then m.n = n - 1 end
  return stop
end

local function close_capture(m, si, pi)
  for n = m.n, 1, -1 do
    if m.length[n] == UNFINISHED then
      m.length[n] = si - m.from[n]
      local stop = match(m, si, pi)
      if not stop then m.length[n] = UNFINISHED end
      return stop
    end
  end
  error("invalid pattern capture", 0)
end

local function capture(m, n)
  local length = m.length[n]
  if n > m.n or length == UNFINISHED then error("invalid capture index", 0) end
  if length == POSITION then return m.from[n] end
  return sub(m.text, m.from[n], m.from[n] + length - 1)
end

local function balanced(m, si, opening, closing)
  if not closing then error("unbalanced pattern", 0) end
  if byte(m.text, si) ~= opening then return nil end
  local depth = 1
  for at = si + 1, #m.text do
    local c = byte(m.text, at)
    if c == closing then
      depth = depth - 1
      if depth == 0 then return at + 1 end
    elseif c == opening then
      depth = depth + 1
    end
  end
end

local function escaped(m, si, pi)
  local c = byte(m.pattern, pi + 1)
  if c == 98 then -- %b
    local after = balanced(m, si, byte(m.pattern, pi + 2, pi + 3))
    if after then return match(m, after, pi + 4) end
    return nil
  end
  local earlier = capture(m, c - 48)
  if sub(m.text, si, si + #earlier - 1) ~= earlier then return nil end
  return match(m, si + #earlier, pi + 2)
end

-- Returns where the match ends, or nil.
function match(m, si, pi)
  local p = m.pattern
  if pi > #p then return si end
  local c, d = byte(p, pi, pi + 1)
  if c == OPEN then
    if d == CLOSE then return open_capture(m, si, pi + 2, POSITION) end
    return open_capture(m, si, pi + 1, UNFINISHED)
  end
  if c == CLOSE then return close_capture(m, si, pi + 1) end
  if c == DOLLAR and pi == #p then return si == #m.text + 1 and si or nil end
  if c == PERCENT and d and (d == 98 or d >= 49 and d <= 57) then return escaped(m, si, pi) end
  local after = class_end(p, pi)
  local suffix = byte(p, after)
  if suffix == STAR then return expand_most(m, si, pi, after) end
  if suffix == MINUS then return expand_least(m, si, pi, after) end
  local fit = fits(m, si, pi, after)
  if suffix == PLUS then return fit and expand_most(m, si + 1, pi, after) or nil end
  if suffix == QUESTION then
    local stop = fit and match(m, si + 1, after + 1)
    if stop then return stop end
    return match(m, si, after + 1)
  end
  if not fit then return nil end
  return match(m, si + 1, after)
end

local function new_match(s, p)
  return { text = s, pattern = p, n = 0, from = {}, length = {} }
end

-- Returns first and last index of the first match from ``init`` on.
local function search(m, init)
  local anchored = byte(m.pattern, 1) == CARET
  for si = init, anchored and init or #m.text + 1 do
    m.n = 0
    local stop = match(m, si, anchored and 2 or 1)
    if stop then return si, stop - 1 end
  end
end

local function captures(m, n)
  n = n or 1
  if n > m.n then return end
  return capture(m, n), captures(m, n + 1)
end

local function find_plain(s, p, init)
  if #s * #p <= MAX_PLAIN_STEPS then return plain_find(s, p, init, true) end
  for at = init, #s - #p + 1 do
    if sub(s, at, at + #p - 1) == p then return at, at + #p - 1 end
  end
end

function string.find(s, p, init, plain)
  s, p = text(s, 1, "find"), text(p, 2, "find")
  init = init or 1
  if init < 0 then init = #s + init + 1 end
  if init < 1 then init = 1 end
  if init > #s + 1 then return nil end
  if plain or not plain_find(p, "[%^%$%*%+%?%.%(%[%%%-]") then return find_plain(s, p, init) end
  local m = new_match(s, p)
  local from, to = search(m, init)
  if from then return from, to, captures(m) end
end

function string.gfind(s, p)
  s, p = text(s, 1, "gfind"), text(p, 2, "gfind")
  local init = 1
  return function()
    local m = new_match(s, p)
    local from, to = search(m, init)
    if not from then return nil end
    init = to >= from and to + 1 or from + 1
    if m.n == 0 then return sub(s, from, to) end
    return captures(m)
  end
end

local function expanded(m, replacement, whole)
  local out, at = {}, 1
  while at <= #replacement do
    local c, d = byte(replacement, at, at + 1)
    if c == PERCENT and d and d >= 48 and d <= 57 then
      local n = d - 48
      out[#out + 1] = (n == 0 or n == 1 and m.n == 0) and whole or capture(m, n)
      at = at + 2
    else
      if c == PERCENT then at = at + 1 end
      out[#out + 1] = sub(replacement, at, at)
      at = at + 1
    end
  end
  return concat(out)
end

local function called(m, f, whole)
  local value
  if m.n == 0 then value = f(whole) else value = f(captures(m)) end
  local kind = type(value)
  return (kind == "string" or kind == "number") and value or ""
end

function string.gsub(s, p, replacement, max)
  s, p = text(s, 1, "gsub"), text(p, 2, "gsub")
  local put = called
  if type(replacement) ~= "function" then
    replacement, put = text(replacement, 3, "gsub"), expanded
  end
  local out, n, init = {}, 0, 1
  local anchored = byte(p, 1) == CARET
  while init <= #s + 1 and n < (max or HUGE) do
    local m = new_match(s, p)
    local from, to = search(m, init)
    if not from then break end
    n = n + 1
    out[#out + 1] = sub(s, init, from - 1)
    out[#out + 1] = put(m, replacement, sub(s, from, to))
    if to < from then out[#out + 1] = sub(s, from, from) end
    init = to >= from and to + 1 or from + 1
    if anchored then break end
  end
  out[#out + 1] = sub(s, init)
  return concat(out), n
end

-- the rest ------------------------------------------------------------------------------------

function string.rep(s, n)
  s = text(s, 1, "rep")
  if s == "" or n < 1 then return "" end
  if #s * n > MAX_TEXT then error("not enough memory", 0) end
  return rep(s, n)
end

function table.insert(t, ...)
  local n = getn(t) + 1
  local at, value = n, (...)
  if select("#", ...) > 1 then at, value = ... end
  for k = n, at + 1, -1 do t[k] = t[k - 1] end
  t[at] = value
end

local seed = 1

function math.randomseed(x) seed = floor(x) % 2147483646 + 1 end

function math.random(low, high)
  seed = seed * 16807 % 2147483647
  local fraction = (seed - 1) / 2147483646
  if not low then return fraction end
  if not high then low, high = 1, low end
  if low > high then error("bad argument to `random' (interval is empty)", 2) end
  return low + floor(fraction * (high - low + 1))
end
