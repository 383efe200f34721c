"""Two loops over pixels that the compiler does not vectorise by itself, written as operations on vectors of 16 pixels.

For the CPU only. They use LLVM's portable vector operations, which it lowers to the processor's own; they compute what the scalar
loops in their docstrings compute, and the tests compare both.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.extending import intrinsic

from env.engine.textures.atlas import COLOUR, LAST_TEXEL, QUARTER

LANES = 16

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I32, LANES)


def _all(value: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _at(builder: Any, pointer: Any, offset: Any, pointee: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), pointee.as_pointer())


def _fetch(typing_context, textures, image, count):
    """Replaces texel numbers by pixels, 16 at a time up to `count`:

        for pixel in range(count):
            colour = textures[image[pixel] & LAST_TEXEL] & COLOUR
            image[pixel] = colour - ((colour >> 2) & QUARTER) if image[pixel] < 0 else colour

    `textures` and `image` are one-dimensional int32 arrays; `image` is padded to whole vectors.
    """
    signature = types.void(textures, image, types.intp)

    def generate(context, builder, signature, arguments):
        source = _data(context, builder, signature.args[0], arguments[0])
        target = _data(context, builder, signature.args[1], arguments[1])
        pointers = ir.VectorType(_I32.as_pointer(), LANES)
        lanes_on = ir.VectorType(ir.IntType(1), LANES)
        kind = ir.FunctionType(_VECTOR, [pointers, _I32, lanes_on, _VECTOR])
        gather = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.gather.v16i32.v16p0")
        step = ir.Constant(_I64, LANES)
        with cgutils.for_range_slice(builder, ir.Constant(_I64, 0), arguments[2], step) as (at, _):
            place = _at(builder, target, at, _VECTOR)
            chosen = builder.load(place, align=4)
            address = ir.instructions.GEPInstr(
                builder.block, source, [builder.and_(chosen, _all(LAST_TEXEL))], True, "texels", source_etype=_I32
            )
            address.type = pointers
            builder._insert(address)
            on = ir.Constant(lanes_on, [1] * LANES)
            texels = builder.call(gather, [address, ir.Constant(_I32, 4), on, ir.Constant(_VECTOR, ir.Undefined)])
            colour = builder.and_(texels, _all(COLOUR))
            shade = builder.and_(builder.lshr(colour, _all(2)), _all(QUARTER))
            shade = builder.and_(shade, builder.ashr(chosen, _all(31)))
            builder.store(builder.sub(colour, shade), place, align=4)
        return context.get_dummy_value()

    return signature, generate


def _unpack(typing_context, image, rgb, start, count):
    """Writes the three lower bytes of every pixel, 16 at a time; `count` is a multiple of 4:

        for pixel in range(count):
            for channel in range(3):
                rgb.flat[start + 3 * pixel + channel] = image[pixel] >> 8 * channel & 255

    `image` is int32 and padded to whole vectors; `rgb` is uint8 and C-contiguous.
    """
    signature = types.void(image, rgb, types.intp, types.intp)

    def generate(context, builder, signature, arguments):
        source = _data(context, builder, signature.args[0], arguments[0])
        target = builder.gep(_data(context, builder, signature.args[1], arguments[1]), [arguments[2]])

        def move(at: Any, lanes: int) -> None:
            wide = ir.VectorType(_I32, lanes)
            pixels = builder.load(_at(builder, source, at, wide), align=4)
            channels = builder.bitcast(pixels, ir.VectorType(_I8, 4 * lanes))
            order = ir.Constant(
                ir.VectorType(_I32, 3 * lanes), [4 * lane + channel for lane in range(lanes) for channel in range(3)]
            )
            kept = builder.shuffle_vector(channels, ir.Constant(channels.type, ir.Undefined), order)
            offset = builder.mul(at, ir.Constant(_I64, 3))
            builder.store(kept, _at(builder, target, offset, kept.type), align=1)

        whole = builder.and_(arguments[3], ir.Constant(_I64, -LANES))
        with cgutils.for_range_slice(builder, ir.Constant(_I64, 0), whole, ir.Constant(_I64, LANES)) as (at, _):
            move(at, LANES)
        with cgutils.for_range_slice(builder, whole, arguments[3], ir.Constant(_I64, 4)) as (at, _):
            move(at, 4)
        return context.get_dummy_value()

    return signature, generate


fetch: Any = intrinsic(_fetch)
unpack: Any = intrinsic(_unpack)
