using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>6 x 16 in 256-bit vectors: 12 accumulators, two operands and one broadcast, of 16 registers.</summary>
internal readonly unsafe struct MicroKernel256 : IMicroKernel
{
    public static int Rows => 6;

    public static int Columns => 16;

    public static int Terms => 1;

    public static void RunChains(int words, float* a, float* b, float* tile, Start start) =>
        GemmChains.Run<MicroKernel256>(words, a, b, tile, start);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int depth, float* a, float* b, float* tile, Start start)
    {
        Vector256<float> c0x = default, c0y = default;
        Vector256<float> c1x = default, c1y = default;
        Vector256<float> c2x = default, c2y = default;
        Vector256<float> c3x = default, c3y = default;
        Vector256<float> c4x = default, c4y = default;
        Vector256<float> c5x = default, c5y = default;

        for (int k = 0; k < depth; k++, a += 6, b += 16)
        {
            Vector256<float> x = Vector256.Load(b);
            Vector256<float> y = Vector256.Load(b + 8);
            Vector256<float> s;
            s = Vector256.Create(a[0]);
            c0x = Vector256.FusedMultiplyAdd(s, x, c0x);
            c0y = Vector256.FusedMultiplyAdd(s, y, c0y);
            s = Vector256.Create(a[1]);
            c1x = Vector256.FusedMultiplyAdd(s, x, c1x);
            c1y = Vector256.FusedMultiplyAdd(s, y, c1y);
            s = Vector256.Create(a[2]);
            c2x = Vector256.FusedMultiplyAdd(s, x, c2x);
            c2y = Vector256.FusedMultiplyAdd(s, y, c2y);
            s = Vector256.Create(a[3]);
            c3x = Vector256.FusedMultiplyAdd(s, x, c3x);
            c3y = Vector256.FusedMultiplyAdd(s, y, c3y);
            s = Vector256.Create(a[4]);
            c4x = Vector256.FusedMultiplyAdd(s, x, c4x);
            c4y = Vector256.FusedMultiplyAdd(s, y, c4y);
            s = Vector256.Create(a[5]);
            c5x = Vector256.FusedMultiplyAdd(s, x, c5x);
            c5y = Vector256.FusedMultiplyAdd(s, y, c5y);
        }

        if (start == Start.Tile)
        {
            c0x += Vector256.Load(tile);
            c0y += Vector256.Load(tile + 8);
            c1x += Vector256.Load(tile + 16);
            c1y += Vector256.Load(tile + 24);
            c2x += Vector256.Load(tile + 32);
            c2y += Vector256.Load(tile + 40);
            c3x += Vector256.Load(tile + 48);
            c3y += Vector256.Load(tile + 56);
            c4x += Vector256.Load(tile + 64);
            c4y += Vector256.Load(tile + 72);
            c5x += Vector256.Load(tile + 80);
            c5y += Vector256.Load(tile + 88);
        }

        c0x.Store(tile);
        c0y.Store(tile + 8);
        c1x.Store(tile + 16);
        c1y.Store(tile + 24);
        c2x.Store(tile + 32);
        c2y.Store(tile + 40);
        c3x.Store(tile + 48);
        c3y.Store(tile + 56);
        c4x.Store(tile + 64);
        c4y.Store(tile + 72);
        c5x.Store(tile + 80);
        c5y.Store(tile + 88);
    }
}
