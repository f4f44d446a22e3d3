-- batch.lua: execute the batch; core/sharing/ledger.py.

-- What is read does not fit together: begin anew, as if nothing had been decided.
local function discard()
  totals, watched, total_changed, held, held_changed = {}, {}, {}, {}, {}
  posted, looks, waiting, logs, turns, budgets, writes = {}, {}, {}, {}, {}, {}, {}
  state.number = state.first
  begin_anew()
end

read_state()
if not reap() then discard() end
local record = records[replica]
local last, applied = record and record.number or 0, record and record.applied or 0
local registers = ops[1] and ops[1][1] == 'register'

local function status_of()
  if number <= last then return 'stale' end
  if registers then return 'ok' end
  if not record or record.mode ~= 'r' or generation ~= state.generation then return 'lost' end
  if since >= 0 and not knows(since) then return 'lost' end
  local all = {}
  if #ops > 0 and ops[#ops][1] == 'forget' then all = read_all_held(replica) end
  for name in pairs(all or {}) do want(name) end
  if not all or not read_held(replica, wanted) then
    discard()
    return 'lost'
  end
  return 'ok'
end

local function register(op)
  local amounts, before = op[2], {}
  if record and record.mode ~= 'e' then before = read_all_held(replica) end
  if not (before and replace(replica, amounts, before) and read_totals(wanted)) then
    discard()
    replace(replica, amounts, {})
    read_totals(wanted)
    record = nil
  end
  if not record then
    record = {number = 0, applied = applied, heard = now, ttl = ttl, mode = 'e', renewed = 0, look = 0}
    look(replica, record, now + ttl)
  end
  if record.mode ~= 'r' then record.mode, state.live = 'r', state.live + 1 end
  write('DEL', held_key(replica))
  write('HSET', held_key(replica), '', mark_of(replica))
  for name in pairs(held[replica]) do held_changed[replica][name] = true end
  record.renewed = 0
  if generation ~= '' and generation ~= state.generation and state.lost == 0 then
    state.lost = 1
    post('lost', '', 0, 'null')
  end
  local age = state.lost == 1 and num(now - state.began) or '-1'
  return '[' .. num(state.number) .. ',[' .. table.concat(kept_lines(), ',') .. '],' .. num(applied) .. ',' .. age .. ']'
end

local executes = {
  register = register,
  ask = ask,
  leave = leave,
  tally = tally,
  claim = claim,
  ['set'] = set_value,
  totals = function(op)
    local sums, waits = {}, {}
    for _, name in ipairs(op[3]) do waits[name] = true end
    for _, name in ipairs(op[2]) do
      if not waits[name] then end_wait(name) end
    end
    for _, name in ipairs(op[3]) do wait_for(name) end
    for place, name in ipairs(op[2]) do sums[place] = watch(name) end
    return numbers(sums)
  end,
  forget = function()
    for _, name in ipairs(sorted_keys(held[replica])) do take(replica, name, held[replica][name]) end
    record.mode, state.live, held_changed[replica] = 'e', state.live - 1, nil
    write('DEL', held_key(replica))
    return '0'
  end,
}

local status = status_of()
local lines, results = {}, {}
if status == 'ok' then
  if not registers and since >= 0 then lines = messages_after(since) end
  local before = #posted
  for place, op in ipairs(ops) do
    results[place] = executes[op[1]](op)
    if place == 1 and registers then before = #posted end
  end
  if not registers and since >= 0 then
    for place = before + 1, #posted do
      if #lines < SENT then lines[#lines + 1] = message_line(posted[place]) end
    end
  end
  hear(record)
  last = number
end

local decided = writes
writes = {}
write_state()
for _, words in ipairs(decided) do writes[#writes + 1] = words end
write_looks()
write_holdings()
write_waits()
write_uses()
write_budgets()
write_messages()
write_values()
write_tallies()
write_all()

return '["' .. status .. '",' .. cjson.encode(state.generation) .. ',' .. num(last) .. ',' .. num(now) .. ','
  .. num(state.live) .. ',[' .. table.concat(lines, ',') .. '],[' .. table.concat(results, ',') .. ']]'
