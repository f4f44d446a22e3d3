-- messages.lua: values, messages about them, tallies and claims; core/sharing/ledger_messages.py, ledger_tallies.py.

local LOGGED, SENT, KEPT = 1000, 100, 1024
local LOG, VALUES = key('log'), key('values')

local function message_line(found)
  return '[' .. table.concat({
    num(found[1]), cjson.encode(found[2]), cjson.encode(found[3]), num(found[4]), cjson.encode(found[5]),
    num(now - found[6]), cjson.encode(found[7]),
  }, ',') .. ']'
end

-- number, topic, key, version, value, at, sender; of a value that is kept also until when.
local KINDS = {'number', 'string', 'string', 'number', 'string', 'number', 'string', 'number'}

local function unpacked(found, length)
  local good, message = pcall(cmsgpack.unpack, found)
  if not good or type(message) ~= 'table' then return nil end
  for place = 1, length do
    if type(message[place]) ~= KINDS[place] then return nil end
  end
  return message
end

-- Whether all messages after one are still in the log.
local function knows(after)
  if after >= state.number then return after == state.number end
  local logged = (read('LLEN', LOG) or 0) + #posted
  return state.number <= after + math.min(LOGGED, logged)
end

-- Return the messages after one that the log has or that were posted by now, as many as a reply has.
local function messages_after(after)
  local lines = {}
  if after < state.first then
    local first = after - state.first
    for _, found in ipairs(read('LRANGE', LOG, first, math.min(first + SENT - 1, -1)) or {}) do
      local message = unpacked(found, 7)
      if message then lines[#lines + 1] = message_line(message) end
    end
  end
  for place = math.max(after - state.first, 0) + 1, #posted do
    if #lines < SENT then lines[#lines + 1] = message_line(posted[place]) end
  end
  return lines
end

local function write_messages()
  if #posted == 0 then return end
  local words = {}
  for place, message in ipairs(posted) do words[place] = cmsgpack.pack(message) end
  write_many('RPUSH', LOG, words)
  write('LTRIM', LOG, -LOGGED, -1)
  write('PEXPIRE', LOG, ms(SHARED))
  write('PUBLISH', key('wake'), num(state.number))
end

-- Values by topic and key: what was read or set with this batch, false if there is none.
local values, value_changes, values_known = {}, {}, nil

local function field_of(topic, name)
  return #topic .. ':' .. topic .. name
end

local function all_values()
  local found, kept = read('HGETALL', VALUES) or {}, {}
  for place = 1, #found, 2 do
    if values[found[place]] == nil then values[found[place]] = unpacked(found[place + 1], 8) or false end
  end
  for field, value in pairs(values) do
    if value then kept[#kept + 1] = {field, value} end
  end
  table.sort(kept, function(a, b) return a[2][1] < b[2][1] end)
  return kept
end

local function set_value(op)
  local topic, name, version, value, keep = op[2], op[3], op[4], op[5], op[6]
  local field = field_of(topic, name)
  local known = values[field]
  if known == nil then
    local found = read('HGET', VALUES, field)
    known = found and unpacked(found, 8) or false
  end
  values_known = values_known or read('HLEN', VALUES) or 0
  -- A value that nobody knows any more has the version that the replica knows: versions do not go back.
  local present = known and known[4] or math.max(version, 0)
  if known and version ~= -1 and version ~= present then
    return '[0,' .. num(present) .. ',' .. cjson.encode(known[5]) .. ']'
  end
  post(topic, name, present + 1, value)
  if known then values_known = values_known - 1 end
  values[field] = keep > 0 and {state.number, topic, name, present + 1, value, now, replica, now + keep} or false
  value_changes[field] = keep
  if keep > 0 then values_known = values_known + 1 end
  if values_known > KEPT then
    for place, each in ipairs(all_values()) do
      if place <= KEPT / 2 then
        values[each[1]], value_changes[each[1]] = false, 0
        values_known = values_known - 1
      end
    end
  end
  return '[1,' .. num(present + 1) .. ']'
end

local function write_values()
  local longest = -1
  for field, keep in pairs(value_changes) do
    if values[field] then
      write('HSET', VALUES, field, cmsgpack.pack(values[field]))
      longest = math.max(longest, keep + REMEMBERED)
    else
      write('HDEL', VALUES, field)
    end
  end
  if longest >= 0 and redis.call('PTTL', VALUES) < longest * 1000 then write('PEXPIRE', VALUES, ms(longest)) end
end

local function kept_lines()
  local lines = {}
  for _, each in ipairs(all_values()) do
    if each[2][8] > now then lines[#lines + 1] = message_line(each[2]) end
  end
  return lines
end

local TALLY_SLICES = 16
local tallies = {}

local function tally(op)
  local span, counts = op[3], op[4]
  local name = string.format('%.14g:%d:%s', span, #counts, op[2])
  local present = math.floor(now / (span / TALLY_SLICES))
  local slices = tallies[name]
  if not slices then
    slices = {span = span}
    local found = read('GET', key('n:' .. name))
    local good, stored = pcall(cmsgpack.unpack, found or '')
    for _, slice in ipairs(good and type(stored) == 'table' and stored or {}) do
      if type(slice) == 'table' and #slice == #counts + 1 and type(slice[1]) == 'number' then
        slices[#slices + 1] = slice
      end
    end
    tallies[name] = slices
  end
  while slices[1] and not (slices[1][1] > present - TALLY_SLICES) do table.remove(slices, 1) end
  local any = false
  for _, count in ipairs(counts) do any = any or count > 0 end
  if any then
    local last = slices[#slices]
    if not last or last[1] ~= present then
      last = {present}
      for place = 1, #counts do last[place + 1] = 0 end
      slices[#slices + 1] = last
    end
    for place, count in ipairs(counts) do last[place + 1] = last[place + 1] + count end
    slices.changed = true
  end
  local sums = {}
  for place = 1, #counts do
    sums[place] = 0
    for _, slice in ipairs(slices) do sums[place] = sums[place] + (tonumber(slice[place + 1]) or 0) end
  end
  return numbers(sums)
end

local function write_tallies()
  for name, slices in pairs(tallies) do
    if slices.changed then
      local stored = {}
      for place, slice in ipairs(slices) do stored[place] = slice end
      write('SET', key('n:' .. name), cmsgpack.pack(stored), 'PX', ms(slices.span))
    end
  end
end

local claims = {}

local function claim(op)
  local name, length = op[2], op[3]
  local found = claims[name] or read('GET', key('c:' .. name))
  local ends, owner = string.match(found or '', '^(%S+) (.*)$')
  ends = tonumber(ends)
  if ends and owner ~= replica and ends > now and ends <= now + LONGEST then return '0' end
  claims[name] = num(now + length) .. ' ' .. replica
  write('SET', key('c:' .. name), claims[name], 'PX', ms(length))
  return '1'
end
