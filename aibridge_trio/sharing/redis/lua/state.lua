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

-- Of a float all digits, so that it is the same when it is read again. A whole number has none behind the point,
-- and is written in half the time.
local function num(found)
  if found % 1 == 0 and found < 2 ^ 53 and found > -2 ^ 53 then return string.format('%d', found) end
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
-- generation; latest and offset of the clock; number of the last message; when silent replicas are looked for;
-- live replicas; when the content began; 1 if a replica has known other content before, which was lost. `anew` says that all content begins anew, `first` the last message that the log had before.
local state = {}
-- Records of replicas: number, the one that was applied last, heard, ttl, when its keys were renewed, when it is
-- looked at next, mode ('r' registered, 'p' lost in part, 'e' ended).
local records, changed = {}, {}

-- Numbers of a known length, and text behind them or before them; nil if it is something else.
local function record_of(line)
  if not line or #line ~= 49 then return nil end
  local record = {mode = string.sub(line, 49)}
  record.number, record.applied, record.heard, record.ttl, record.renewed, record.look =
    struct.unpack('>dddddd', line)
  local good = record.number >= record.applied and record.applied >= 0
  return good and record.heard >= 0 and record.ttl >= 0 and record.look >= 0 and record or nil
end

local function packed_record(record)
  return struct.pack(
    '>dddddd', record.number, record.applied, record.heard, record.ttl, record.renewed, record.look
  ) .. record.mode
end

local function unpack_state(line)
  if not line or #line ~= 72 then return false end
  state.generation = string.sub(line, 1, 16)
  state.latest, state.offset, state.number, state.due, state.live, state.began, state.lost =
    struct.unpack('>ddddddd', line, 17)
  return state.latest >= 0 and state.offset >= 0 and state.number >= 0 and state.due >= 0 and state.live >= 0
end

local function change(id, record)
  records[id] = record
  changed[id] = true
end

-- Begin all content anew, but for the clock and the messages: every replica must register.
local function begin_anew()
  state.generation = string.sub(redis.sha1hex(string.format('%.17g %s %.0f', now, replica, number)), 1, 16)
  state.anew, state.live, state.due, state.began, state.lost = true, 0, 1e300, now, 0
  records, changed = {}, {}
end

local function read_state()
  local found = read('HMGET', STATE, 'state', 'r:' .. replica) or {}
  local known = unpack_state(found[1])
  if not known then state.latest, state.offset, state.number, state.empty = 0, 0, 0, true end
  now = wall + state.offset
  if now < state.latest then
    state.offset = state.offset + (state.latest - now)
    now = state.latest
  end
  state.latest, state.first = now, state.number
  if known then records[replica] = record_of(found[2]) else begin_anew() end
end

local function write_state()
  if state.anew then
    write('DEL', STATE)
    write('DEL', HEARD, TOTALS)
    if state.empty then write('DEL', key('log')) end
  end
  local words = {
    'state',
    state.generation .. struct.pack(
      '>ddddddd', state.latest, state.offset, state.number, state.due, state.live, state.began, state.lost
    ),
  }
  for id in pairs(changed) do
    if records[id] then
      words[#words + 1] = 'r:' .. id
      words[#words + 1] = packed_record(records[id])
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
