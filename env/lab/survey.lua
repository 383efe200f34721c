--[[ Writes down the layout of one of DeepMind Lab's own maps, by looking.

Settings: `mapName` - the map; `rows`, `cols` - its cells, of 100 units; `output` -
the file to write, in the form of thin mazes: `*` wall, `A` apple, `G` goal,
cells at odd lines and columns (counted from 0).
]]

local game = require 'dmlab.system.game'

local CELL = 100
local EYE = 50
-- A picture on a wall may be solid: a wall stops every one of these.
local BESIDE = {-30, 0, 30}
local MARKS = {apple_reward = 'A', goal = 'G'}

local api = {}
local settings = {}
local marks = {}

function api:init(given)
  settings = given
end

function api:nextMap()
  return settings.mapName
end

function api:updateSpawnVars(vars)
  local mark = MARKS[vars.classname]
  if mark then
    local x, y = vars.origin:match('^(%S+) (%S+)')
    marks[#marks + 1] = {
        col = math.floor(tonumber(x) / CELL),
        up = math.floor(tonumber(y) / CELL),
        mark = mark,
    }
  end
  return not mark and vars or nil
end

local function sees(x0, y0, x1, y1)
  local across, along = (y1 - y0) / CELL, (x1 - x0) / CELL
  for _, beside in ipairs(BESIDE) do
    local dx, dy = across * beside, along * beside
    local from, to = {x0 + dx, y0 + dy, EYE}, {x1 + dx, y1 + dy, EYE}
    if game:raycast(from, to) >= 1 then
      return true
    end
  end
  return false
end

function api:mapLoaded()
  local rows, cols = tonumber(settings.rows), tonumber(settings.cols)
  local grid = {}
  for line = 1, 2 * rows + 1 do
    grid[line] = {}
    for column = 1, 2 * cols + 1 do
      grid[line][column] = '*'
    end
  end
  for row = 0, rows - 1 do
    for col = 0, cols - 1 do
      local x, y = (col + 0.5) * CELL, (rows - row - 0.5) * CELL
      grid[2 * row + 2][2 * col + 2] = ' '
      if col + 1 < cols and sees(x, y, x + CELL, y) then
        grid[2 * row + 2][2 * col + 3] = ' '
      end
      if row + 1 < rows and sees(x, y, x, y - CELL) then
        grid[2 * row + 3][2 * col + 2] = ' '
      end
    end
  end
  for _, entity in ipairs(marks) do
    grid[2 * (rows - entity.up)][2 * entity.col + 2] = entity.mark
  end
  local file = assert(io.open(settings.output, 'w'))
  for _, line in ipairs(grid) do
    file:write(table.concat(line), '\n')
  end
  file:close()
end

return api
