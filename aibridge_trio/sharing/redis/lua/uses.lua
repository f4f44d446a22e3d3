-- uses.lua: what counts of a rate in its span, and turns; core/sharing/ledger_uses.py.
--
-- A log is a string: a letter, its total, and 16 bytes for each time and its count. So the usual work, which is at
-- its two ends, costs the same for few entries and for many.

local EXACT, SLICES, EXACT_USED, SLICES_USED = 256, 256, 96, 64
local MOST_TURNS, APART, LONGEST_DELAY = 64, 1.05, 60
local logs, turns = {}, {}

local function entry(data, place)
  return struct.unpack('>dd', data, place * 16 - 15)
end

local function entries(log)
  return #log.data / 16
end

-- What is not as we write it is repaired as far as it can be: times in the future count as now.
local function repair(data, present)
  local kept, total = {}, 0
  for place = 1, #data / 16 do
    local at, count = entry(data, place)
    if at == at and count >= 0 and count <= MOST and count == math.floor(count) then
      kept[#kept + 1] = struct.pack('>dd', math.min(at, present), count)
      total = total + count
    end
  end
  return table.concat(kept), total
end

local function expire(log, span)
  local gone, many = 0, entries(log)
  while gone < many do
    local at, count = entry(log.data, gone + 1)
    if at + span > now then break end
    log.total = log.total - count
    gone = gone + 1
  end
  if gone > 0 then log.data = string.sub(log.data, gone * 16 + 1) end
end

local function log_of(name, span)
  local log = logs[name]
  if log then return log end
  log = {data = '', total = 0, span = span}
  logs[name] = log
  local found = read('GET', key('u:' .. name))
  if found and string.sub(found, 1, 1) == 'u' and #found >= 9 and (#found - 9) % 16 == 0 then
    log.data, log.total, log.stored = string.sub(found, 10), struct.unpack('>d', found, 2), true
    local latest = #log.data > 0 and entry(log.data, entries(log)) or 0
    if not (latest <= now and log.total >= 0 and log.total <= MOST * 1024) then
      log.data, log.total = repair(log.data, now)
    end
    expire(log, span)
    if #log.data == 0 then log.total = 0 end
  end
  return log
end

local function append(log, at, count)
  log.total, log.changed = log.total + count, true
  local many = entries(log)
  if many > 0 then
    local latest, before = entry(log.data, many)
    if latest == at then
      log.data = string.sub(log.data, 1, -17) .. struct.pack('>dd', at, before + count)
      return
    end
  end
  log.data = log.data .. struct.pack('>dd', at, count)
end

local function join(log, width)
  local joined, slice, latest, sum = {}, nil, 0, 0
  for place = 1, entries(log) do
    local at, count = entry(log.data, place)
    if slice == math.floor(at / width) then
      latest, sum = at, sum + count
    else
      if slice then joined[#joined + 1] = struct.pack('>dd', latest, sum) end
      slice, latest, sum = math.floor(at / width), at, count
    end
  end
  joined[#joined + 1] = struct.pack('>dd', latest, sum)
  log.data = table.concat(joined)
end

local function count_use(log, count, amount)
  if count == 0 then return end
  local many = entries(log)
  if amount > EXACT and many > 0 then
    local width = log.span / SLICES
    local latest, before = entry(log.data, many)
    if math.floor(now / width) == math.floor(latest / width) then
      log.data = string.sub(log.data, 1, -17) .. struct.pack('>dd', now, before)
    end
  end
  append(log, now, count)
  if entries(log) > 2 * EXACT then join(log, log.span / SLICES) end
end

local function settle(name, span, used)
  if used == 0 then return end
  local log = log_of(name, span)
  append(log, now, used)
  if entries(log) > EXACT_USED then join(log, span / SLICES_USED) end
end

-- Take away one that was counted at a time; it may have been joined with later ones.
local function uncount(name, span, at)
  if at + span <= now then return end
  local log = log_of(name, span)
  local first, last = 1, entries(log) + 1
  while first < last do
    local middle = math.floor((first + last) / 2)
    if entry(log.data, middle) < at then first = middle + 1 else last = middle end
  end
  if first > entries(log) then return end
  local time, count = entry(log.data, first)
  if count < 1 then return end
  local one = count > 1 and struct.pack('>dd', time, count - 1) or ''
  log.data = string.sub(log.data, 1, first * 16 - 16) .. one .. string.sub(log.data, first * 16 + 1)
  log.total, log.changed = log.total - 1, true
end

local function reset(log)
  local many = entries(log)
  return many > 0 and entry(log.data, many) + log.span - now or 0
end

-- The turns of a name that lie ahead: pairs of a time and a count.
local function turns_of(name)
  if turns[name] then
    return turns[name]
  end
  local found, ahead = read('GET', key('t:' .. name)), {}
  if found and string.sub(found, 1, 1) == 't' and (#found - 1) % 16 == 0 then
    local data = string.sub(found, 2)
    for place = 1, math.min(#data / 16, MOST_TURNS) do
      local turn, count = entry(data, place)
      if turn > now and turn <= now + LONGEST + LONGEST_DELAY and count >= 0 and count <= MOST then
        ahead[#ahead + 1] = {turn, count}
      end
    end
  end
  turns[name] = ahead
  return ahead
end

local function next_turn(log, ahead, running, use)
  local amount, span, count = use[2], use[3], use[4]
  local function free_at(others)
    local excess = log.total + running + others + math.min(count, amount) - amount
    for place = 1, entries(log) do
      local at, each = entry(log.data, place)
      excess = excess - each
      if excess <= 0 then return at + span end
    end
    excess = excess - running
    if excess <= 0 then return now + span end
    for _, turn in ipairs(ahead) do
      excess = excess - turn[2]
      if excess <= 0 then return turn[1] + span end
    end
    return now + span
  end
  local earliest = free_at(0)
  local last = ahead[#ahead]
  if not last then return earliest end
  local apart = amount > 0 and APART * span * last[2] / amount or 0
  local sum = 0
  for _, turn in ipairs(ahead) do sum = sum + turn[2] end
  local behind = math.max(free_at(sum), last[1] + apart)
  return math.max(earliest, math.min(behind, now + LONGEST_DELAY))
end

local function add_turn(name, turn, count)
  local ahead = turns[name]
  ahead[#ahead + 1] = {turn, count}
  if #ahead > MOST_TURNS then table.remove(ahead, 1) end
  ahead.changed = true
end

local function write_uses()
  for name, log in pairs(logs) do
    if log.changed then
      if #log.data > 0 then
        write('SET', key('u:' .. name), 'u' .. struct.pack('>d', log.total) .. log.data, 'PX', ms(log.span))
      elseif log.stored then
        write('DEL', key('u:' .. name))
      end
    end
  end
  for name, ahead in pairs(turns) do
    if ahead.changed then
      local parts = {}
      for place, turn in ipairs(ahead) do parts[place] = struct.pack('>dd', turn[1], turn[2]) end
      write('SET', key('t:' .. name), 't' .. table.concat(parts), 'PX', ms(ahead[#ahead][1] - now))
    end
  end
end
