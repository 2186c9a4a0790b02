using System.Runtime.Intrinsics;
using Dataflow.Model;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>Sines and cosines of one token, with fp32 room for what is on its way: they lie in a worker's scratch.</summary>
internal readonly unsafe struct TokenTurn
{
    private readonly int headDim;

    /// <summary>For one token after another.</summary>
    public TokenTurn(byte* scratch, int headDim)
    {
        this.headDim = headDim;
        Cosines = (float*)scratch;
        Sines = Cosines + headDim;
        Head = new Row((byte*)(Sines + headDim), DType.Float32);
        Other = new Row((byte*)(Sines + (2 * headDim)), DType.Float32);
        All = Sines + (3 * headDim);
    }

    /// <summary>head_dim / 2 of them.</summary>
    public float* Cosines { get; }

    /// <summary>Likewise.</summary>
    public float* Sines { get; }

    /// <summary>Room for a head.</summary>
    public Row Head { get; }

    /// <summary>Room for another.</summary>
    public Row Other { get; }

    /// <summary>Room for all heads.</summary>
    public float* All { get; }

    /// <summary>Turns a head by its token's angles, backwards with direction -1, and multiplies it.</summary>
    public void Turn(Row from, Row to, float direction, float scale)
    {
        int half = headDim / 2;
        Vector512<float> size = Vector512.Create(scale);
        for (int j = 0; j < half; j += Lanes.Count)
        {
            int lanes = half - j;
            Vector512<float> x1 = from.Load(j, lanes);
            Vector512<float> x2 = from.Load(half + j, lanes);
            Vector512<float> c = Lanes.Load(Cosines + j, lanes);
            Vector512<float> s = Lanes.Load(Sines + j, lanes) * Vector512.Create(direction);
            to.Store(j, Vector512.FusedMultiplyAdd(x1, c, -(x2 * s)) * size, lanes);
            to.Store(half + j, Vector512.FusedMultiplyAdd(x2, c, x1 * s) * size, lanes);
        }
    }
}
