-- waits.lua: which replicas have requests that wait for a limit; core/sharing/ledger_waits.py.

local WAITS, MOST_WAITING = 0.3, 32
-- By the limit's key: of each replica since when and until when it waits, and what it held then.
local waiting = {}

local function is_wait(id, found)
  if type(id) ~= 'string' or type(found) ~= 'table' then return false end
  local since, ends, has = found[1], found[2], found[3]
  return type(since) == 'number' and type(ends) == 'number' and type(has) == 'number'
    and ends > now and ends <= now + WAITS
end

local function waiting_for(name)
  if waiting[name] then return waiting[name] end
  local found, present = {by = {}, many = 0}, nil
  local stored = read('GET', key('q:' .. name))
  if stored then
    local good, unpacked = pcall(cmsgpack.unpack, stored)
    present = good and type(unpacked) == 'table' and unpacked
  end
  for id, each in pairs(present or {}) do
    if is_wait(id, each) then found.by[id], found.many = each, found.many + 1 end
  end
  waiting[name] = found
  return found
end

local function has_now(name)
  return held[replica][name] or 0
end

local function wait_for(name)
  local found = waiting_for(name)
  local before = found.by[replica]
  if not before then
    if found.many >= MOST_WAITING then return end
    found.many = found.many + 1
  end
  found.by[replica] = {before and before[1] or now, now + WAITS, has_now(name)}
  found.changed = true
end

local function end_wait(name)
  local found = waiting_for(name)
  if found.by[replica] then
    found.by[replica], found.many, found.changed = nil, found.many - 1, true
  end
end

-- Whether another replica goes first.
local function barred(name)
  local found = waiting_for(name)
  if found.many == 0 then return false end
  local own = found.by[replica]
  local has, since = has_now(name), own and own[1] or now
  for id, each in pairs(found.by) do
    if id ~= replica and (each[3] < has or (each[3] == has and each[1] < since)) then return true end
  end
  return false
end

local function write_waits()
  for name, found in pairs(waiting) do
    if found.changed then
      if found.many > 0 then
        write('SET', key('q:' .. name), cmsgpack.pack(found.by), 'PX', ms(WAITS))
      else
        write('DEL', key('q:' .. name))
      end
    end
  end
end
