using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The products of experts: for each in turn the product of <see cref="Gemm"/> over its rows, all threads on one. A row's result depends on
/// that row and its expert's matrix alone.
/// </summary>
public static unsafe class GroupedGemm
{
    /// <summary>c (+)= scale a op(b), of each expert.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or experts' rows do not follow each other.</exception>
    public static void Run(ThreadTeam team, in GroupedGemmArguments call)
    {
        Matrix a = new(call.A), b = new(call.B), c = new(call.C);
        int* first = Checked(call.ExpertRows, call.Experts, a.Rows);
        int height = b.Rows / call.Experts;
        for (int e = 0; e < call.Experts; e++)
        {
            int rows = first[e + 1] - first[e];
            if (rows > 0)
            {
                Matrix to = c.RowRange(first[e], rows);
                Gemm.Run(
                    team,
                    a.RowRange(first[e], rows),
                    Transpose.No,
                    b.RowRange(e * height, height),
                    call.TransposeB,
                    new GemmResult(to, call.Accumulate ? to : null, Scale: call.Scale)
                );
            }
        }
    }

    /// <summary>c (+)= scale a^T b, of each expert.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or experts' rows do not follow each other.</exception>
    public static void WeightGradient(ThreadTeam team, in GroupedGemmWeightGradientArguments call)
    {
        Matrix a = new(call.A), b = new(call.B), c = new(call.C);
        int* first = Checked(call.ExpertRows, call.Experts, a.Rows);
        for (int e = 0; e < call.Experts; e++)
        {
            int rows = first[e + 1] - first[e];
            if (rows > 0 || !call.Accumulate)
            {
                Matrix to = c.RowRange(e * a.Columns, a.Columns);
                Gemm.Run(
                    team,
                    a.RowRange(first[e], rows),
                    Transpose.Yes,
                    b.RowRange(first[e], rows),
                    Transpose.No,
                    new GemmResult(to, call.Accumulate ? to : null, Scale: call.Scale)
                );
            }
        }
    }

    private static int* Checked(nuint expertRows, int experts, int rows)
    {
        int* first = (int*)expertRows;
        bool follow = first[0] >= 0 && first[experts] <= rows;
        for (int e = 0; e < experts; e++)
        {
            follow &= first[e] <= first[e + 1];
        }

        return follow
            ? first
            : throw new ArgumentException($"rows of experts are not among {rows}, one behind the other", nameof(expertRows));
    }
}
