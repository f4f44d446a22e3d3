-- replicas.lua: which are silent; core/sharing/ledger_replicas.py. HEARD has of each replica when it is looked at
-- next, and the generation in front of all.

local LOOKS, MOST_TAKEN = 8, 500
-- Replicas that are looked at later, by id.
local looks = {}

local function look(id, record, when)
  looks[id], record.look = when, when
  state.due = math.min(state.due, when)
end

-- Take some of what a silent replica holds; return how much and whether there is more, nil if it is not whole.
local function lose(id, most)
  local name = held_key(id)
  if read('HGET', name, '') ~= mark_of(id) then return nil end
  local many, keys, seen, cursor = redis.call('HLEN', name) - 1, {}, {}, '0'
  if most == 0 then return 0, many > 0 end
  repeat
    local found = redis.call('HSCAN', name, cursor, 'COUNT', most)
    cursor = found[1]
    for place = 1, #found[2], 2 do
      local each = found[2][place]
      if each ~= '' and not seen[each] and #keys < most then
        seen[each] = true
        keys[#keys + 1] = each
      end
    end
  until cursor == '0' or #keys >= most
  if not read_held(id, keys) then return nil end
  table.sort(keys)
  for _, each in ipairs(keys) do
    local amount = take(id, each, held[id][each])
    local use, span = string.match(each, '^use:(([^:]*):.*)$')
    if use then
      settle(use, tonumber(span), amount)
    elseif string.sub(each, 1, 7) == 'budget:' then
      spend(string.sub(each, 8), amount)
    end
  end
  return #keys, many > #keys
end

-- Look for silent replicas; return whether all is whole.
local function reap()
  if state.anew or now < state.due then return true end
  local found = read('ZRANGE', HEARD, 0, LOOKS + 1, 'WITHSCORES')
  if not found or found[1] ~= state.generation then return false end
  local ids = {}
  -- It is looked at once a second, too, whether it is there.
  state.due = now + 1
  for place = 3, #found, 2 do
    local score = tonumber(found[place + 1])
    if score <= now and #ids < LOOKS then
      ids[#ids + 1] = found[place]
    else
      state.due = math.min(state.due, score)
    end
  end
  local fields = {}
  for place, id in ipairs(ids) do fields[place] = 'r:' .. id end
  local lines = #ids > 0 and redis.call('HMGET', STATE, unpack(fields)) or {}
  local left = MOST_TAKEN
  for place, id in ipairs(ids) do
    local record = record_of(lines[place])
    if not record then return false end
    local silent = record.heard + record.ttl
    change(id, record)
    if silent > now then
      look(id, record, silent)
    else
      if record.mode == 'r' then
        record.mode, state.live = 'p', state.live - 1
      end
      local taken, more = 0, false
      if record.mode == 'p' then
        taken, more = lose(id, left)
        if not taken then return false end
        left = left - taken
      end
      if more then
        look(id, record, now)
      else
        if record.mode == 'p' then
          record.mode, held_changed[id] = 'e', nil
          write('DEL', held_key(id))
        end
        if silent + REMEMBERED > now then
          look(id, record, silent + REMEMBERED)
        else
          records[id], looks[id] = nil, false
        end
      end
    end
  end
  return true
end

-- Note a batch of a registered replica.
local function hear(record)
  record.number, record.heard, record.ttl = number, now, ttl
  if #ops ~= 1 or ops[1][1] ~= 'register' then record.applied = number end
  if now + ttl < record.look then look(replica, record, now + ttl) end
  if record.renewed + RENEWED <= now or record.renewed > now then
    record.renewed = now
    for _, name in ipairs({STATE, HEARD, TOTALS, held_key(replica)}) do write('PEXPIRE', name, ms(SHARED)) end
  end
  change(replica, record)
end

local function write_looks()
  for id, when in pairs(looks) do
    if when then write('ZADD', HEARD, num(when), id) else write('ZREM', HEARD, id) end
  end
end
