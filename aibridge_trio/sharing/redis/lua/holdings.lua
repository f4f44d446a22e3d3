-- holdings.lua: what replicas hold; core/sharing/ledger_holdings.py.
--
-- A total is written as a number, with a `w` behind it if the key is watched. A replica's part is a hash. Both say
-- in the field '' of which generation they are, and a part whose it is. Where one is lost, or they do not fit each
-- other, all content begins anew.

local totals, watched, total_changed = {}, {}, {}
-- By replica; of each the amounts that were read, and the keys that have changed.
local held, held_changed = {}, {}
local posted = {}

local function post(topic, name, version, value)
  state.number = state.number + 1
  posted[#posted + 1] = {state.number, topic, name, version, value, now, replica}
end

local function held_key(id)
  return key('held:' .. id)
end

-- What is in the field '' of a replica's part.
local function mark_of(id)
  return state.generation .. ' ' .. id
end

-- Read fields of a hash with this mark; nil if it has another.
local function read_fields(name, mark, fields)
  local found = {}
  for first = 1, math.max(#fields, 1), 1000 do
    local last = math.min(first + 999, #fields)
    local piece = read('HMGET', name, '', unpack(fields, first, last))
    if not piece or piece[1] ~= mark then return nil end
    for place = first, last do found[place] = piece[place - first + 2] end
  end
  return found
end

-- Read totals of keys; return whether they are whole.
local function read_totals(keys)
  if state.anew then
    for _, each in ipairs(keys) do totals[each] = totals[each] or 0 end
    return true
  end
  local found = read_fields(TOTALS, state.generation, keys)
  if not found then return false end
  for place, each in ipairs(keys) do
    if not totals[each] then
      local line = found[place]
      local amount, mark = 0, ''
      if line then amount, mark = string.match(line, '^(%d+)(w?)$') end
      if not amount then return false end
      totals[each], watched[each] = tonumber(amount), mark == 'w'
    end
  end
  return true
end

-- Read what a replica holds of keys, and the totals; return whether all of it is whole.
local function read_held(id, keys)
  if not read_totals(keys) then return false end
  local found = read_fields(held_key(id), mark_of(id), keys)
  if not found then return false end
  held[id], held_changed[id] = held[id] or {}, held_changed[id] or {}
  for place, each in ipairs(keys) do
    if not held[id][each] then
      local amount = found[place] and tonumber(string.match(found[place], '^%d+$')) or not found[place] and 0
      if not amount or amount > totals[each] then return false end
      held[id][each] = amount
    end
  end
  return true
end

local function add(id, name, amount)
  if amount == 0 then return end
  held[id][name] = (held[id][name] or 0) + amount
  totals[name] = totals[name] + amount
  held_changed[id][name], total_changed[name] = true, true
end

local function take(id, name, amount)
  local has = held[id][name] or 0
  amount = math.min(amount, has)
  if amount == 0 then return 0 end
  held[id][name] = has - amount
  totals[name] = totals[name] - amount
  held_changed[id][name], total_changed[name] = true, true
  if watched[name] then
    watched[name] = false
    post('freed', name, 0, 'null')
  end
  return amount
end

-- Read all that a replica holds; return it, nil if it is not whole.
local function read_all_held(id)
  local found = read('HGETALL', held_key(id))
  local amounts, whole = {}, false
  for place = 1, found and #found or 0, 2 do
    local name, line = found[place], found[place + 1]
    if name == '' then
      whole = line == mark_of(id)
    else
      amounts[name] = tonumber(string.match(line, '^%d+$'))
      if not amounts[name] then return nil end
    end
  end
  -- Some of it may have been taken with this batch.
  for name in pairs(held_changed[id] or {}) do
    amounts[name] = held[id][name] > 0 and held[id][name] or nil
  end
  return whole and amounts or nil
end

local function sorted_keys(found)
  local keys = {}
  for each in pairs(found) do keys[#keys + 1] = each end
  table.sort(keys)
  return keys
end

-- Let a replica hold exactly this; return whether what it held before was whole.
local function replace(id, amounts, before)
  local keys = sorted_keys(before)
  for each in pairs(amounts) do
    if not before[each] then keys[#keys + 1] = each end
  end
  if not read_totals(keys) then return false end
  held[id], held_changed[id] = {}, {}
  for each, amount in pairs(before) do
    if amount > totals[each] then return false end
    held[id][each] = amount
  end
  for _, each in ipairs(keys) do
    local has, amount = before[each] or 0, amounts[each] or 0
    if has > amount then take(id, each, has - amount) end
  end
  for each, amount in pairs(amounts) do
    local has = before[each] or 0
    if amount > has then add(id, each, amount - has) end
  end
  return true
end

local function watch(name)
  if totals[name] > 0 and not watched[name] then watched[name], total_changed[name] = true, true end
  return totals[name]
end

-- Write amounts of changed keys in a hash; those that are 0 are taken out.
local function write_amounts(name, amounts, keys, marks)
  local set, gone = {}, {}
  for each in pairs(keys) do
    if amounts[each] == 0 then
      gone[#gone + 1] = each
    else
      set[#set + 1] = each
      set[#set + 1] = string.format(marks[each] and '%dw' or '%d', amounts[each])
    end
  end
  write_many('HSET', name, set)
  write_many('HDEL', name, gone)
end

local function write_holdings()
  write_amounts(TOTALS, totals, total_changed, watched)
  for id, keys in pairs(held_changed) do write_amounts(held_key(id), held[id], keys, {}) end
end
