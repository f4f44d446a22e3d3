-- budgets.lua: what is spent by the calendar; core/sharing/ledger_budgets.py. Of each period: its number, tokens.

local DAY, BUDGET_KEPT = 86400, 40 * 86400
local budgets = {}

-- https://howardhinnant.github.io/date_algorithms.html; months are counted from January of the year 0.
local function month_of(day)
  local shifted = day + 719468
  local era = math.floor(shifted / 146097)
  local of_era = shifted - era * 146097
  local year = math.floor(
    (of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365
  )
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local from_march = math.floor((5 * of_year + 2) / 153)
  return 12 * (year + era * 400) + from_march + 2
end

local function first_day(month)
  local year = math.floor((month - 2) / 12)
  local from_march = month - 2 - year * 12
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100)
    + math.floor((153 * from_march + 2) / 5) - 719468
end

local function period_number(per)
  local day = math.floor(wall / DAY)
  if per == 'day' then return day end
  if per == 'week' then return math.floor((day + 3) / 7) end
  return month_of(day)
end

local function period_start(per, period)
  if per == 'day' then return period * DAY end
  if per == 'week' then return (period * 7 - 3) * DAY end
  return first_day(period) * DAY
end

local ORDER = {'day', 'week', 'month'}

-- Return what a budget has spent in each period, by its name: pairs of number and tokens.
local function budget_of(name)
  if budgets[name] then return budgets[name] end
  local found = read('GET', key('b:' .. name))
  local account, words = {}, {}
  for word in string.gmatch(found or '', '%d+') do words[#words + 1] = tonumber(word) end
  for place, per in ipairs(ORDER) do
    local present = period_number(per)
    local counted, spent = words[place * 2 - 1], words[place * 2]
    if #words ~= 6 or counted < present then
      counted, spent = present, 0
    elseif counted > present and wall < period_start(per, counted) - DAY then
      counted = present
    end
    account[per] = {counted, spent}
  end
  budgets[name] = account
  return account
end

local function spend(name, used)
  if used == 0 then return end
  local account = budget_of(name)
  for _, per in ipairs(ORDER) do account[per][2] = account[per][2] + used end
  account.changed = true
end

local function write_budgets()
  for name, account in pairs(budgets) do
    if account.changed then
      local words = {}
      for _, per in ipairs(ORDER) do
        words[#words + 1] = string.format('%.0f %.0f', account[per][1], account[per][2])
      end
      write('SET', key('b:' .. name), table.concat(words, ' '), 'PX', ms(BUDGET_KEPT))
    end
  end
end
