using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;

namespace Dataflow.Cpu.Tests.Kernels;

public sealed class PhiloxTests
{
    // Known answers that Random123 publishes for philox4x32, 10 rounds.
    [Theory]
    [InlineData(new[] { 0u, 0u, 0u, 0u }, 0ul, new[] { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u })]
    [InlineData(
        new[] { 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu },
        0xfffffffffffffffful,
        new[] { 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu }
    )]
    [InlineData(
        new[] { 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u },
        0x299f31d0a4093822ul,
        new[] { 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u }
    )]
    public void Known_answers(uint[] counter, ulong seed, uint[] expected) =>
        Assert.Equal(Vector128.Create(expected), Philox.At(counter[0], counter[1], counter[2], counter[3], seed));
}
