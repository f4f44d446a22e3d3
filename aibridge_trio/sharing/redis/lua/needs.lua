-- needs.lua: asks, and what is given back; core/sharing/ledger_needs.py.

local function strings(found)
  local parts = {}
  for place, each in ipairs(found) do parts[place] = cjson.encode(each) end
  return '[' .. table.concat(parts, ',') .. ']'
end

local function numbers(found)
  local parts = {}
  for place, each in ipairs(found) do parts[place] = num(each) end
  return '[' .. table.concat(parts, ',') .. ']'
end

-- What runs of a use, over all replicas.
local function running_of(use)
  return use[5] == 1 and totals['use:' .. use[7]] or 0
end

-- Return what can be held, by key, and the first key that refuses; soft ones in the way are added to `short`.
local function free(holdings, short)
  local taken, refuses = {}, nil
  for _, need in ipairs(holdings) do
    local name, limit, amount = need[1], need[2], need[3]
    local more = (taken[name] or 0) + amount
    local ordered = need[4] == 0 and limit < MOST
    if totals[name] + more <= limit and not (ordered and barred(name)) then
      taken[name] = more
    elseif need[4] == 1 then
      short[#short + 1] = name
    else
      refuses = refuses or name
    end
  end
  return taken, refuses
end

-- Return which uses fit, and which refuse; soft ones that do not fit are added to `short`.
local function fitting(uses, short)
  local fits, denied, taken = {}, {}, {}
  for _, use in ipairs(uses) do
    local amount, count, name = use[2], use[4], use[7]
    local counts = log_of(name, use[3]).total + (taken[name] or 0) + running_of(use)
    if counts + count <= amount or (use[5] == 1 and counts == 0) then
      fits[#fits + 1] = use
      taken[name] = (taken[name] or 0) + count
    elseif use[6] == 1 then
      short[#short + 1] = use[1]
    else
      denied[#denied + 1] = use
    end
  end
  return fits, denied
end

-- Give the use with the longest wait a turn; return its key and the wait.
local function turn_of(denied)
  local latest, chosen = -1, nil
  for _, use in ipairs(denied) do
    local turn = next_turn(log_of(use[7], use[3]), turns_of(use[7]), running_of(use), use)
    if turn > latest then latest, chosen = turn, use end
  end
  add_turn(chosen[7], latest, math.min(chosen[4], chosen[2]))
  return chosen[1], latest - now
end

local function ask(op)
  local holdings, uses, budget = op[2], op[3], op[4]
  local short = {}
  local taken, refuses = free(holdings, short)
  local spent, wait = 0, 0
  if budget ~= 0 then
    spent = budget_of(budget[1])[budget[3]][2]
    if not refuses and spent + totals['budget:' .. budget[1]] >= budget[2] then refuses = budget[1] end
  end
  local fits, denied = fitting(uses, short)
  if not refuses and denied[1] then refuses, wait = turn_of(denied) end
  if not refuses then
    for name, amount in pairs(taken) do
      add(replica, name, amount)
      end_wait(name)
    end
    if budget ~= 0 then add(replica, 'budget:' .. budget[1], budget[4]) end
    for _, use in ipairs(fits) do
      if use[5] == 1 then
        add(replica, 'use:' .. use[7], use[4])
      else
        count_use(log_of(use[7], use[3]), use[4], use[2])
      end
    end
  end
  local sums, left = {}, {}
  for place, need in ipairs(holdings) do sums[place] = totals[need[1]] end
  for place, use in ipairs(uses) do
    local log = log_of(use[7], use[3])
    left[place] = numbers({math.max(0, use[2] - log.total - running_of(use)), reset(log)})
  end
  local tail = numbers(sums) .. ',[' .. table.concat(left, ',') .. '],' .. num(spent)
  if refuses then return '[0,' .. cjson.encode(refuses) .. ',' .. num(wait) .. ',' .. tail .. ']' end
  return '[1,' .. tail .. ',' .. strings(short) .. ']'
end

local function leave(op)
  for _, each in ipairs(op[2]) do take(replica, each[1], each[2]) end
  for _, settled in ipairs(op[3]) do
    take(replica, 'use:' .. settled[5], settled[3])
    settle(settled[5], settled[2], settled[4])
  end
  if op[4] ~= 0 then
    take(replica, 'budget:' .. op[4][1], op[4][2])
    spend(op[4][1], op[4][3])
  end
  for _, use in ipairs(op[5]) do uncount(name_of(use[1], use[2]), use[2], use[3]) end
  return '0'
end
