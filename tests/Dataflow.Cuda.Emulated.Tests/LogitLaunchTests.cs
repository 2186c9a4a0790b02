using System.Runtime.InteropServices;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The loss of logits that are scaled and capped, whole and by blocks, as the device launches it, against float64.</summary>
public sealed class LogitLaunchTests : LaunchTest
{
    private const int Rows = 4,
        Columns = 32;

    private static readonly int[] Targets = [3, -1, 31, 16];

    [Theory]
    [InlineData(0.25f, null)]
    [InlineData(1f, 10f)]
    [InlineData(3f, 20f)]
    public void Logits_are_scaled_and_capped(float scale, float? cap)
    {
        var (logits, raw) = Random(DType.Float32, Rows, Columns, 1, 8);
        var (gradient, _) = Random(DType.Float32, Rows, Columns, 2);
        var (loss, _) = Random(DType.Float32, 1, 1, 3);
        var step = new DevicePointer(Floats(new float[7], 0.5f, new float[8]));
        nuint targets = Integers(Targets);
        var kernel = new CrossEntropy(Library);
        kernel.Run(
            Stream,
            step,
            new()
            {
                Logits = logits,
                LogitScale = scale,
                LogitSoftcap = cap,
                Targets = targets,
                GradLogits = gradient,
                Loss = loss.Address,
                Accumulate = false,
                Workspace = Room(KernelWorkspace.CrossEntropy(Rows)),
            }
        );
        double[] mapped = [.. raw.Select(x => cap is { } c ? c * Math.Tanh(scale * x / c) : scale * x)];
        double LogSum(int row) => Math.Log(mapped.Skip(row * Columns).Take(Columns).Sum(Math.Exp));
        double[] expected =
        [
            .. mapped.Select(
                (l, i) =>
                    Targets[i / Columns] < 0
                        ? 0
                        : 0.5
                            * (Math.Exp(l - LogSum(i / Columns)) - (i % Columns == Targets[i / Columns] ? 1 : 0))
                            * scale
                            * (1 - Math.Pow(cap is { } c ? l / c : 0, 2))
            ),
        ];
        double[] total = [Enumerable.Range(0, Rows).Where(r => Targets[r] >= 0).Sum(r => LogSum(r) - mapped[(r * Columns) + Targets[r]])];
        AssertClose(DType.Float32, expected, Read(gradient));
        AssertClose(DType.Float32, total, Read(loss));

        // One block is the whole.
        nuint statistics = Room(new Bytes(3 * Rows * sizeof(float)));
        var (again, _) = Random(DType.Float32, Rows, Columns, 4);
        kernel.Statistics(
            Stream,
            new()
            {
                Logits = logits,
                LogitScale = scale,
                LogitSoftcap = cap,
                Targets = targets,
                FirstId = 0,
                Statistics = statistics,
                Stride = Rows,
                Fold = false,
            }
        );
        kernel.Loss(
            Stream,
            new()
            {
                Targets = targets,
                Rows = Rows,
                Statistics = statistics,
                Stride = Rows,
                Loss = loss.Address,
            }
        );
        kernel.Gradient(
            Stream,
            step,
            new()
            {
                Logits = logits,
                LogitScale = scale,
                LogitSoftcap = cap,
                Targets = targets,
                FirstId = 0,
                Statistics = statistics,
                Stride = Rows,
                GradLogits = again,
            }
        );
        AssertClose(DType.Float32, expected, Read(again));
        AssertClose(DType.Float32, total, Read(loss));
    }

    // A block of a step's arguments, of which the loss scale counts.
    private nuint Floats(float[] before, float scale, float[] after) =>
        Integers([.. MemoryMarshal.Cast<float, int>((float[])[.. before, scale, .. after])]);
}
