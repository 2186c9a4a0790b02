using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>
/// Philox4x32 with ten rounds (Salmon et al., 2011): 128 random bits as a function of a 128-bit counter and a 64-bit seed.
/// </summary>
internal static class Philox
{
    private const int Rounds = 10;

    /// <summary>The four words of a counter's output.</summary>
    public static Vector128<uint> At(uint x, uint y, uint z, uint w, ulong seed)
    {
        unchecked
        {
            uint key0 = (uint)seed, key1 = (uint)(seed >> 32);
            for (int round = 0; round < Rounds; round++)
            {
                ulong a = (ulong)0xD2511F53u * x, b = (ulong)0xCD9E8D57u * z;
                (x, y, z, w) = ((uint)(b >> 32) ^ y ^ key0, (uint)b, (uint)(a >> 32) ^ w ^ key1, (uint)a);
                key0 += 0x9E3779B9u;
                key1 += 0xBB67AE85u;
            }

            return Vector128.Create(x, y, z, w);
        }
    }
}
