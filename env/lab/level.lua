--[[ The level that plays Knossos' mazes in DeepMind Lab.

Everything it needs comes as settings, at construction or, between episodes, as
properties of the same names:

*   `mapName` - name of the compiled map; the same name means the same walls.
*   `geometry` - `thin` (a ceiling on the walls) or `block` (open sky).
*   `rows`, `cols` - cells of the maze.
*   `faces` - two hexadecimal digits for each side of each cell, cells by row from
    the top, sides east, north, west, south: the number of the texture of the wall
    on that side, `00` for none.
*   `solid` - a character a cell, `1` for a cell one can't stand in.
*   `textures` - folder of the textures, 64 x 64 RGBA bytes a file: `floor.rgba`,
    `ceiling.rgba`, `wall_07.rgba` on walls to the east and west, `shaded_07.rgba`
    on walls to the north and south; and 256 x 256 bytes `sky_up.rgba`, `sky_rt.rgba`
    and so on for the box that shows the sky.
*   `items` - what lies in the maze this episode, `kind x y;` each, in units.
*   `spawns` - where the agent starts, `x y angle;` each, in units and degrees; the
    second is for the respawn after the first goal, and so on.

The property `taken` has a character an item, `1` once it was picked up. It comes
back to `0` when the goal is reached.
]]

local game = require 'dmlab.system.game'
local map_maker = require 'dmlab.system.map_maker'
local tensor = require 'dmlab.system.tensor'
local pickups = require 'common.pickups'

local CELL = 100
local SLAB = 1
local TEXTURE_SIZE = 64
local TEXEL = CELL / TEXTURE_SIZE
local ITEM_HEIGHT = 20
local SPAWN_HEIGHT = 30
local LAMP_HEIGHT = 70
local LAMP = 400
local SKY_SIZE = 256
local SKY = 'map/lab_games/sky/lg_sky_03'
local SPARKLE = 'model/spawn_d'
local FLOOR = 'knossos/floor'
local CEILING = 'knossos/ceiling'
local WALLS = {
    'knossos/wall_',
    'knossos/shaded_',
    'knossos/wall_',
    'knossos/shaded_',
}

local SUCCESS, NOT_FOUND, DENIED = 0, 1, 2

-- The adapter identifies items by these scores, and gives the task's rewards.
local ITEMS = {
    apple = {
        name = 'Apple',
        classname = 'apple',
        model = 'models/apple.md3',
        quantity = 1,
        type = pickups.type.REWARD,
    },
    strawberry = {
        name = 'Strawberry',
        classname = 'strawberry',
        model = 'models/strawberry.md3',
        quantity = 2,
        type = pickups.type.REWARD,
    },
    goal = {
        name = 'Goal',
        classname = 'goal',
        model = 'models/goal_object_02.md3',
        quantity = 10,
        type = pickups.type.GOAL,
    },
}

local settings = {
    mapName = '',
    geometry = '',
    rows = '',
    cols = '',
    faces = '',
    solid = '',
    textures = '',
    items = '',
    spawns = '',
}

local api = {}
local items = {}
local spawns = {}
local taken = {}
local nextSpawn = 1
local loadedMap = ''

-- A box. Textures go right along a wall as it is seen, and along x and y of the
-- map on floors and ceilings; the map's own way is right along x or y and down.
local function box(x0, y0, z0, x1, y1, z1, texture)
  local function plane(a, b, c, left, up)
    return string.format(
        '( %d %d %d ) ( %d %d %d ) ( %d %d %d ) %s 0 0 0 %g %g 0 0 0\n',
        a[1], a[2], a[3], b[1], b[2], b[3], c[1], c[2], c[3],
        texture, left and -TEXEL or TEXEL, up and -TEXEL or TEXEL)
  end
  return '{\n' ..
      plane({x0, 0, 0}, {x0, 1, 0}, {x0, 0, 1}, true) ..
      plane({x1, 0, 0}, {x1, 0, 1}, {x1, 1, 0}, false) ..
      plane({0, y0, 0}, {0, y0, 1}, {1, y0, 0}, false) ..
      plane({0, y1, 0}, {1, y1, 0}, {0, y1, 1}, true) ..
      plane({0, 0, z0}, {1, 0, z0}, {0, 1, z0}, false, true) ..
      plane({0, 0, z1}, {0, 1, z1}, {1, 0, z1}, false, true) ..
      '}\n'
end

local function cellGeometry(row, col, rows, cols)
  local first = (row * cols + col) * 8
  local x0, y0 = col * CELL, (rows - row - 1) * CELL
  local x1, y1 = x0 + CELL, y0 + CELL
  local slabs = {
      {x1 - SLAB, y0, x1, y1},
      {x0, y1 - SLAB, x1, y1},
      {x0, y0, x0 + SLAB, y1},
      {x0, y0, x1, y0 + SLAB},
  }
  local brushes = {box(x0, y0, 0, x1, y1, SLAB, FLOOR)}
  for side = 1, 4 do
    local face = settings.faces:sub(first + 2 * side - 1, first + 2 * side)
    if face ~= '00' then
      local slab = slabs[side]
      brushes[#brushes + 1] =
          box(slab[1], slab[2], 0, slab[3], slab[4], CELL, WALLS[side] .. face)
    end
  end
  if settings.geometry == 'thin' then
    brushes[#brushes + 1] = box(x0, y0, CELL - SLAB, x1, y1, CELL, CEILING)
  end
  -- The map compiler fills what no entity stands in: a lamp keeps the cell open.
  return string.format(
      '{\n"classname" "func_group"\n%s}\n{\n"classname" "light"\n' ..
      '"origin" "%d %d %d"\n"light" "%d"\n}\n',
      table.concat(brushes), x0 + CELL / 2, y0 + CELL / 2, LAMP_HEIGHT, LAMP)
end

local function makeMap()
  local rows, cols = tonumber(settings.rows), tonumber(settings.cols)
  local lines = {}
  for row = 0, rows - 1 do
    local line = settings.solid:sub(row * cols + 1, (row + 1) * cols)
    lines[row + 1] = line:gsub('1', '*'):gsub('0', '.')
  end
  map_maker:mapFromTextLevel{
      entityLayer = table.concat(lines, '\n') .. '\n',
      mapName = settings.mapName,
      drawDefaultLayout = false,
      skyboxTextureName = settings.geometry == 'block' and SKY or nil,
      callback = function(row, col, character, maker)
        return cellGeometry(row, col, rows, cols)
      end,
  }
end

local function apply(key, value)
  if settings[key] == nil then
    return false
  end
  settings[key] = value
  if key == 'items' then
    items = {}
    for kind, x, y in value:gmatch('(%a+) (%d+) (%d+);') do
      items[#items + 1] = {kind = kind, x = x, y = y}
    end
  elseif key == 'spawns' then
    spawns = {}
    for x, y, angle in value:gmatch('(%d+) (%d+) ([%d.]+);') do
      spawns[#spawns + 1] = {x = x, y = y, angle = angle}
    end
  end
  return true
end

function api:init(given)
  for key, value in pairs(given) do
    if not apply(key, value) then
      error('unknown setting ' .. key)
    end
  end
end

function api:writeProperty(key, value)
  return apply(key, value) and SUCCESS or NOT_FOUND
end

function api:readProperty(key)
  if key == 'taken' then
    return table.concat(taken)
  end
  return settings[key] ~= nil and DENIED or NOT_FOUND
end

function api:start(episode, seed)
  nextSpawn = 1
end

function api:commandLine(given)
  -- Walls show their own colours: without this, lamps would decide them.
  return given .. ' +set r_fullbright 1 +set cg_drawCrosshairAlways 0'
end

function api:nextMap()
  if settings.mapName == loadedMap then
    return ''
  end
  makeMap()
  loadedMap = settings.mapName
  return loadedMap
end

function api:extraEntities()
  local spawn = assert(spawns[nextSpawn], 'no spawn left')
  nextSpawn = nextSpawn + 1
  local entities = {{
      classname = 'info_player_start',
      origin = spawn.x .. ' ' .. spawn.y .. ' ' .. SPAWN_HEIGHT,
      angle = spawn.angle,
      randomAngleRange = '0',
  }}
  for index, item in ipairs(items) do
    taken[index] = '0'
    entities[#entities + 1] = {
        classname = item.kind,
        origin = item.x .. ' ' .. item.y .. ' ' .. ITEM_HEIGHT,
        id = tostring(index),
    }
  end
  for index = #items + 1, #taken do
    taken[index] = nil
  end
  return entities
end

function api:createPickup(classname)
  return ITEMS[classname]
end

function api:pickup(id)
  -- To return anything would replace the pickup itself, and its score.
  taken[id] = '1'
end

function api:loadTexture(name)
  local texture = name:match('knossos/([%w_]+)')
  if texture then
    local bytes = game:loadFileToByteTensor(
        settings.textures .. '/' .. texture .. '.rgba')
    return bytes:reshape{TEXTURE_SIZE, TEXTURE_SIZE, 4}
  end
  local side = name:match(SKY .. '_(%a+)')
  if side and side ~= 'dn' then
    local bytes = game:loadFileToByteTensor(
        settings.textures .. '/sky_' .. side .. '.rgba')
    return bytes:reshape{SKY_SIZE, SKY_SIZE, 4}
  end
  if name:match(SPARKLE) then
    -- Light that is added to the picture for half a second after a start: none.
    return tensor.ByteTensor(TEXTURE_SIZE, TEXTURE_SIZE, 4)
  end
end

function api:hasEpisodeFinished(seconds)
  return false
end

local observations = {
    ['POSITION'] = function() return game:playerInfo().pos end,
    ['ANGLES'] = function() return game:playerInfo().angles end,
    ['VELOCITY'] = function() return game:playerInfo().vel end,
}

function api:customObservationSpec()
  return {
      {name = 'POSITION', type = 'Doubles', shape = {3}},
      {name = 'ANGLES', type = 'Doubles', shape = {3}},
      {name = 'VELOCITY', type = 'Doubles', shape = {3}},
  }
end

function api:customObservation(name)
  return tensor.DoubleTensor(observations[name]())
end

return api
