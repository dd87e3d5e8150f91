-- halves cuts an integer's text into its sign, its last nine digits, and those
-- before. It returns nil for any text that adding would not write itself
-- ("01", "-0", "1.0", "1e3"), and for what 64 bits do not hold. A Lua number
-- is a double: it cannot hold a 64-bit integer, but each half.
local function halves(text)
  local sign, digits = string.match(text, '^(%-?)(%d+)$')
  if not digits or #digits > 19 or digits ~= '0' and string.sub(digits, 1, 1) == '0'
    or text == '-0' then
    return nil
  end
  local high, low = tonumber(string.sub(digits, 1, -10)) or 0, tonumber(string.sub(digits, -9))
  local last = sign == '-' and 854775808 or 854775807 -- of 9223372036 854775807
  if high > 9223372036 or high == 9223372036 and low > last then return nil end
  return sign == '-', high, low
end

-- sum adds two integers exactly. It returns nil and why when it cannot.
local function sum(a, b)
  local a_negative, a_high, a_low = halves(a)
  if a_negative == nil then return nil, 'type' end
  local b_negative, b_high, b_low = halves(b)
  local high, low, negative = a_high + b_high, a_low + b_low, a_negative
  if a_negative ~= b_negative then
    high, low = a_high - b_high, a_low - b_low
    if high < 0 or high == 0 and low < 0 then
      high, low, negative = 0 - high, 0 - low, b_negative -- -0 would be written "-0"
    end
  end
  if low < 0 then high, low = high - 1, low + 1000000000 end
  if low >= 1000000000 then high, low = high + 1, low - 1000000000 end
  local text = string.format('%.0f', low)
  if high > 0 then text = string.format('%.0f%09.0f', high, low) end
  if negative and text ~= '0' then text = '-' .. text end
  if halves(text) == nil then return nil, 'limit' end
  return text
end
