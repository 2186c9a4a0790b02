using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class PhiloxTests
{
    // Known answers that Random123 publishes for philox4x32, 10 rounds.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(
        0xffffffffu,
        0xffffffffu,
        0xffffffffu,
        0xffffffffu,
        0xfffffffffffffffful,
        0x408f276du,
        0x41c83b0eu,
        0xa20bc7c6u,
        0x6d5451fdu
    )]
    [InlineData(
        0x243f6a88u,
        0x85a308d3u,
        0x13198a2eu,
        0x03707344u,
        0x299f31d0a4093822ul,
        0xd16cfe09u,
        0x94fdccebu,
        0x5001e420u,
        0x24126ea1u
    )]
    public void Known_answers(uint x, uint y, uint z, uint w, ulong seed, uint a, uint b, uint c, uint d) =>
        Assert.Equal(Vector128.Create(a, b, c, d), Philox.At(x, y, z, w, seed));
}
