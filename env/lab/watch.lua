--[[ Plays one of DeepMind Lab's own levels by its own script, unchanged, and lists
its items.

The setting `level` names it. The property `items` lists what can be picked up at
this moment, `classname x y;` each, in units. All else is the level's own.
]]

local game_entities = require 'dmlab.system.game_entities'

local api = {}
local level

function api:init(settings)
  level = require('levels.' .. settings.level)
  settings.level = nil
  setmetatable(api, {__index = level})
  return level.init and level:init(settings)
end

function api:readProperty(key)
  if key ~= 'items' then
    return level.readProperty(level, key)
  end
  local found = {}
  for _, entity in ipairs(game_entities:entities{'goal', 'apple_reward'}) do
    if entity.visible then
      found[#found + 1] = string.format(
          '%s %d %d;', entity.classname, entity.position[1], entity.position[2])
    end
  end
  return table.concat(found)
end

return api
