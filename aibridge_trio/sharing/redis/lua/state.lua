-- state.lua: time, keys, what is written in the end; the state, which has the generation and each replica's record.

-- All keys have the hash tag of KEYS[1]: in a cluster they lie together.
local function key(name)
  return KEYS[1] .. ':' .. name
end

-- Nothing depends on it that keys expire; they have a minute more than they need. What all share has an hour more
-- than the number of a lost replica's last batch is remembered (seconds).
local SLACK, REMEMBERED, SHARED, RENEWED = 60, 3600, 7200, 10

local function ms(some)
  return string.format('%.0f', math.ceil((some + SLACK) * 1000))
end

-- Of a float all digits, so that it is the same when it is read again.
local function num(found)
  return string.format('%.17g', found)
end

-- Read a key. One of a wrong type is ours, and begins anew.
local function read(command, name, ...)
  local found = redis.pcall(command, name, ...)
  if type(found) == 'table' and found.err then
    if not string.find(found.err, 'WRONGTYPE', 1, true) then error(found.err) end
    return nil, true
  end
  return found
end

local writes = {}

local function write(...)
  writes[#writes + 1] = {...}
end

-- Fields are written in pieces: Lua takes some thousand arguments.
local function write_many(command, name, words)
  for first = 1, #words, 1000 do
    write(command, name, unpack(words, first, math.min(first + 999, #words)))
  end
end

-- The first write fails, and then nothing is written; or none fails, but for one that is not allowed at all.
local function write_all()
  local failed
  for place, words in ipairs(writes) do
    local found = redis.pcall(unpack(words))
    if type(found) == 'table' and found.err and string.find(found.err, 'WRONGTYPE', 1, true) then
      redis.call('DEL', words[2])
      found = redis.pcall(unpack(words))
    end
    if type(found) == 'table' and found.err and words[1] ~= 'PUBLISH' then
      if place == 1 then error(found.err) end
      failed = failed or found.err
    end
  end
  if failed then error(failed) end
end

local clock = redis.call('TIME')
local wall = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local now

local STATE, HEARD, TOTALS = key('state'), key('heard'), key('totals')
local FIELDS = {'generation', 'latest', 'offset', 'number', 'due', 'live'}
-- generation; latest and offset of the clock; number of the last message; when silent replicas are looked for;
-- live replicas. `anew` says that all content begins anew, `first` the last message that the log had before.
local state = {}
-- Records of replicas: number, heard, ttl, mode ('r' registered, 'p' lost in part, 'e' ended), when its keys were
-- renewed, when it is looked at next.
local records, changed = {}, {}

local RECORD = {'number', 'heard', 'ttl', 'mode', 'renewed', 'look'}

local function record_of(line)
  local record, place = {}, 0
  for word in string.gmatch(line or '', '%S+') do
    place = place + 1
    if place > #RECORD then return nil end
    record[RECORD[place]] = place == 4 and word or tonumber(word)
  end
  for _, field in ipairs(RECORD) do
    if not record[field] then return nil end
  end
  return record
end

local function change(id, record)
  records[id] = record
  changed[id] = true
end

-- Begin all content anew, but for the clock and the messages: every replica must register.
local function begin_anew()
  state.generation = string.sub(redis.sha1hex(string.format('%.17g %s %.0f', now, replica, number)), 1, 16)
  state.anew, state.live, state.due = true, 0, 1e300
  records, changed = {}, {}
end

local function read_state()
  local found = read('HMGET', STATE, 'generation', 'latest', 'offset', 'number', 'due', 'live', 'r:' .. replica)
  local known = found and found[1]
  for place, field in ipairs(FIELDS) do
    state[field] = found and found[place] or nil
    if place > 1 then
      state[field] = tonumber(state[field])
      known = known and state[field]
    end
  end
  if not known then state.latest, state.offset, state.number, state.empty = 0, 0, 0, true end
  now = wall + state.offset
  if now < state.latest then
    state.offset = state.offset + (state.latest - now)
    now = state.latest
  end
  state.latest, state.first = now, state.number
  if known then records[replica] = record_of(found[7]) else begin_anew() end
end

local function write_state()
  if state.anew then
    write('DEL', STATE)
    write('DEL', HEARD, TOTALS)
    if state.empty then write('DEL', key('log')) end
  end
  local words = {}
  for _, field in ipairs(FIELDS) do
    words[#words + 1] = field
    words[#words + 1] = field == 'generation' and state.generation or num(state[field])
  end
  for id in pairs(changed) do
    local record = records[id]
    if record then
      words[#words + 1] = 'r:' .. id
      words[#words + 1] = string.format(
        '%.0f %.17g %.17g %s %.17g %.17g',
        record.number, record.heard, record.ttl, record.mode, record.renewed, record.look
      )
    end
  end
  write_many('HSET', STATE, words)
  for id in pairs(changed) do
    if not records[id] then write('HDEL', STATE, 'r:' .. id) end
  end
  if state.anew then
    -- Each of these has the generation, so that it is noticed if one is lost.
    write('HSET', TOTALS, '', state.generation)
    write('ZADD', HEARD, '-inf', state.generation)
    for _, name in ipairs({STATE, HEARD, TOTALS}) do write('PEXPIRE', name, ms(SHARED)) end
  end
end
