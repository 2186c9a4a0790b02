using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Dataflow.Cpu.Kernels.Internals;

/// <summary>From sums of products to c: multiplies by the scale, adds addend and bias, rounds, stores.</summary>
internal readonly struct GemmEpilogue
{
    private readonly Matrix c;
    private readonly Matrix addend;
    private readonly Matrix bias;
    private readonly bool add;
    private readonly bool addBias;
    private readonly float scale;

    public GemmEpilogue(in GemmResult to)
    {
        c = to.C;
        (add, addend) = (to.Addend is not null, to.Addend ?? default);
        (addBias, bias) = (to.Bias is not null, to.Bias ?? default);
        scale = to.Scale;
    }

    /// <summary>Part of a row of c, from <paramref name="column"/> on.</summary>
    public Part Of(int row, int column) => new(this, row, column);

    /// <summary>Part of a row, sixteen elements at a time.</summary>
    internal readonly struct Part
    {
        private readonly Row to;
        private readonly Row plus;
        private readonly Row everyRow;
        private readonly bool add;
        private readonly bool addBias;
        private readonly float scale;

        public Part(in GemmEpilogue of, int row, int column)
        {
            to = new(of.c, row, column);
            plus = of.add ? new(of.addend, row, column) : default;
            everyRow = of.addBias ? new(of.bias, 0, column) : default;
            (add, addBias, scale) = (of.add, of.addBias, of.scale);
        }

        /// <summary>Elements <paramref name="j"/> to <paramref name="j"/> + min(16, <paramref name="lanes"/>) - 1.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(int j, Vector512<float> sums, int lanes)
        {
            Vector512<float> value = sums * Vector512.Create(scale);
            if (add)
            {
                value += plus.Load(j, lanes);
            }

            if (addBias)
            {
                value += everyRow.Load(j, lanes);
            }

            to.Store(j, value, lanes);
        }
    }
}
