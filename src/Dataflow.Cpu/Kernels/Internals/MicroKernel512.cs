using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>12 x 32 in 512-bit vectors: 24 accumulators, two operands and one broadcast, of 32 registers.</summary>
internal readonly unsafe struct MicroKernel512 : IMicroKernel
{
    public static int Rows => 12;

    public static int Columns => 32;

    public static int Terms => 1;

    public static void RunChains(int words, float* a, float* b, float* tile, Start start) =>
        GemmChains.Run<MicroKernel512>(words, a, b, tile, start);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int depth, float* a, float* b, float* tile, Start start)
    {
        Vector512<float> c0x = default, c0y = default;
        Vector512<float> c1x = default, c1y = default;
        Vector512<float> c2x = default, c2y = default;
        Vector512<float> c3x = default, c3y = default;
        Vector512<float> c4x = default, c4y = default;
        Vector512<float> c5x = default, c5y = default;
        Vector512<float> c6x = default, c6y = default;
        Vector512<float> c7x = default, c7y = default;
        Vector512<float> c8x = default, c8y = default;
        Vector512<float> c9x = default, c9y = default;
        Vector512<float> c10x = default, c10y = default;
        Vector512<float> c11x = default, c11y = default;

        for (int k = 0; k < depth; k++, a += 12, b += 32)
        {
            Vector512<float> x = Vector512.Load(b);
            Vector512<float> y = Vector512.Load(b + 16);
            Vector512<float> s;
            s = Vector512.Create(a[0]);
            c0x = Vector512.FusedMultiplyAdd(s, x, c0x);
            c0y = Vector512.FusedMultiplyAdd(s, y, c0y);
            s = Vector512.Create(a[1]);
            c1x = Vector512.FusedMultiplyAdd(s, x, c1x);
            c1y = Vector512.FusedMultiplyAdd(s, y, c1y);
            s = Vector512.Create(a[2]);
            c2x = Vector512.FusedMultiplyAdd(s, x, c2x);
            c2y = Vector512.FusedMultiplyAdd(s, y, c2y);
            s = Vector512.Create(a[3]);
            c3x = Vector512.FusedMultiplyAdd(s, x, c3x);
            c3y = Vector512.FusedMultiplyAdd(s, y, c3y);
            s = Vector512.Create(a[4]);
            c4x = Vector512.FusedMultiplyAdd(s, x, c4x);
            c4y = Vector512.FusedMultiplyAdd(s, y, c4y);
            s = Vector512.Create(a[5]);
            c5x = Vector512.FusedMultiplyAdd(s, x, c5x);
            c5y = Vector512.FusedMultiplyAdd(s, y, c5y);
            s = Vector512.Create(a[6]);
            c6x = Vector512.FusedMultiplyAdd(s, x, c6x);
            c6y = Vector512.FusedMultiplyAdd(s, y, c6y);
            s = Vector512.Create(a[7]);
            c7x = Vector512.FusedMultiplyAdd(s, x, c7x);
            c7y = Vector512.FusedMultiplyAdd(s, y, c7y);
            s = Vector512.Create(a[8]);
            c8x = Vector512.FusedMultiplyAdd(s, x, c8x);
            c8y = Vector512.FusedMultiplyAdd(s, y, c8y);
            s = Vector512.Create(a[9]);
            c9x = Vector512.FusedMultiplyAdd(s, x, c9x);
            c9y = Vector512.FusedMultiplyAdd(s, y, c9y);
            s = Vector512.Create(a[10]);
            c10x = Vector512.FusedMultiplyAdd(s, x, c10x);
            c10y = Vector512.FusedMultiplyAdd(s, y, c10y);
            s = Vector512.Create(a[11]);
            c11x = Vector512.FusedMultiplyAdd(s, x, c11x);
            c11y = Vector512.FusedMultiplyAdd(s, y, c11y);
        }

        if (start == Start.Tile)
        {
            c0x += Vector512.Load(tile);
            c0y += Vector512.Load(tile + 16);
            c1x += Vector512.Load(tile + 32);
            c1y += Vector512.Load(tile + 48);
            c2x += Vector512.Load(tile + 64);
            c2y += Vector512.Load(tile + 80);
            c3x += Vector512.Load(tile + 96);
            c3y += Vector512.Load(tile + 112);
            c4x += Vector512.Load(tile + 128);
            c4y += Vector512.Load(tile + 144);
            c5x += Vector512.Load(tile + 160);
            c5y += Vector512.Load(tile + 176);
            c6x += Vector512.Load(tile + 192);
            c6y += Vector512.Load(tile + 208);
            c7x += Vector512.Load(tile + 224);
            c7y += Vector512.Load(tile + 240);
            c8x += Vector512.Load(tile + 256);
            c8y += Vector512.Load(tile + 272);
            c9x += Vector512.Load(tile + 288);
            c9y += Vector512.Load(tile + 304);
            c10x += Vector512.Load(tile + 320);
            c10y += Vector512.Load(tile + 336);
            c11x += Vector512.Load(tile + 352);
            c11y += Vector512.Load(tile + 368);
        }

        c0x.Store(tile);
        c0y.Store(tile + 16);
        c1x.Store(tile + 32);
        c1y.Store(tile + 48);
        c2x.Store(tile + 64);
        c2y.Store(tile + 80);
        c3x.Store(tile + 96);
        c3y.Store(tile + 112);
        c4x.Store(tile + 128);
        c4y.Store(tile + 144);
        c5x.Store(tile + 160);
        c5y.Store(tile + 176);
        c6x.Store(tile + 192);
        c6y.Store(tile + 208);
        c7x.Store(tile + 224);
        c7y.Store(tile + 240);
        c8x.Store(tile + 256);
        c8y.Store(tile + 272);
        c9x.Store(tile + 288);
        c9y.Store(tile + 304);
        c10x.Store(tile + 320);
        c10y.Store(tile + 336);
        c11x.Store(tile + 352);
        c11y.Store(tile + 368);
    }
}
