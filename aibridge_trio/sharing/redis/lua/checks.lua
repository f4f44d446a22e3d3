-- The store of shared limits: executes one batch, as core/sharing/wire.py describes it, and returns the reply.
-- core/sharing/ledger.py does the same in Python; tests hold the two together. These files are one script, in the
-- order that script.py gives.
--
-- First everything is read and decided, then it is written: an error changes nothing. The first write fails as a
-- whole where the server takes none (out of memory, a copy); after it none fails.
--
-- checks.lua: what a batch is; core/sharing/ledger_checks.py.

local MOST, LONGEST = 2 ^ 50, 366 * 86400
local PERIODS = {day = true, week = true, month = true}

local function fail(what)
  error('no batch: ' .. what)
end

local function list(found, most)
  if type(found) ~= 'table' or #found > (most or 256) then fail('no list') end
  return found
end

local function text(found, most, least)
  if type(found) ~= 'string' or #found < (least or 1) or #found > (most or 512) then
    fail('no text, or a long one')
  end
end

local function whole(found)
  if type(found) ~= 'number' or not (found >= 0 and found <= MOST) or found ~= math.floor(found) then
    fail('no amount')
  end
end

local function seconds(found, least, most)
  if type(found) ~= 'number' or not (found >= (least or 0.001) and found <= (most or LONGEST)) then
    fail('no time')
  end
end

local function flag(found)
  if found ~= 0 and found ~= 1 then fail('neither 0 nor 1') end
end

-- What a running use is held under begins with its span.
local function holding(found)
  text(found)
  if string.sub(found, 1, 4) == 'use:' then
    local span = string.match(found, '^use:([^:]*)')
    local number = tonumber(span)
    seconds(number)
    if string.format('%.14g', number) ~= span then fail('no span in a name') end
  end
end

local function name_of(key, span)
  return string.format('%.14g:%s', span, key)
end

-- Names of what a batch holds or asks for: read together, before its ops are executed.
local wanted, is_wanted = {}, {}

local function want(key)
  if not is_wanted[key] then
    is_wanted[key] = true
    wanted[#wanted + 1] = key
  end
end

local function exactly(op, length)
  if #op ~= length then fail('no op') end
end

local checks = {}

function checks.register(op)
  exactly(op, 2)
  if type(op[2]) ~= 'table' then fail('no holdings') end
  for key, amount in pairs(op[2]) do
    holding(key)
    whole(amount)
  end
end

-- Each use gets its name as a seventh entry, each settled one as a fifth.
function checks.ask(op)
  exactly(op, 4)
  for _, need in ipairs(list(op[2])) do
    exactly(list(need), 4)
    holding(need[1])
    whole(need[2])
    whole(need[3])
    flag(need[4])
    want(need[1])
  end
  for _, use in ipairs(list(op[3])) do
    exactly(list(use), 6)
    text(use[1])
    whole(use[2])
    seconds(use[3])
    whole(use[4])
    flag(use[5])
    flag(use[6])
    use[7] = name_of(use[1], use[3])
    if use[5] == 1 then want('use:' .. use[7]) end
  end
  if op[4] ~= 0 then
    exactly(list(op[4]), 4)
    text(op[4][1])
    whole(op[4][2])
    if not PERIODS[op[4][3]] then fail('no period') end
    whole(op[4][4])
    want('budget:' .. op[4][1])
  end
end

function checks.leave(op)
  exactly(op, 5)
  for _, held in ipairs(list(op[2])) do
    exactly(list(held), 2)
    text(held[1])
    whole(held[2])
    want(held[1])
  end
  for _, settled in ipairs(list(op[3])) do
    exactly(list(settled), 4)
    text(settled[1])
    seconds(settled[2])
    whole(settled[3])
    whole(settled[4])
    settled[5] = name_of(settled[1], settled[2])
    want('use:' .. settled[5])
  end
  if op[4] ~= 0 then
    exactly(list(op[4]), 3)
    text(op[4][1])
    whole(op[4][2])
    whole(op[4][3])
    want('budget:' .. op[4][1])
  end
  for _, use in ipairs(list(op[5])) do
    exactly(list(use), 3)
    text(use[1])
    seconds(use[2])
    seconds(use[3], 0, MOST)
  end
end

function checks.totals(op)
  exactly(op, 3)
  for place = 2, 3 do
    for _, key in ipairs(list(op[place])) do
      text(key)
      want(key)
    end
  end
end

function checks.tally(op)
  exactly(op, 4)
  text(op[2])
  seconds(op[3])
  for _, count in ipairs(list(op[4], 16)) do whole(count) end
end

checks['set'] = function(op)
  exactly(op, 6)
  text(op[2])
  text(op[3], nil, 0)
  if op[4] ~= -1 then whole(op[4]) end
  text(op[5], 8192)
  seconds(op[6], 0)
end

function checks.claim(op)
  exactly(op, 3)
  text(op[2])
  seconds(op[3], 0)
end

function checks.forget(op)
  exactly(op, 1)
end

local batch = cjson.decode(ARGV[1])
exactly(list(batch), 6)
local replica, number, generation, ttl, since, ops = unpack(batch)
text(replica)
whole(number)
text(generation, nil, 0)
seconds(ttl, 0.1, 3600)
if since ~= -1 then whole(since) end
for place, op in ipairs(list(ops, 1000)) do
  local check = checks[list(op)[1]]
  if not check or (op[1] == 'register' and place > 1) or (op[1] == 'forget' and place < #ops) then
    fail('no op')
  end
  check(op)
end
