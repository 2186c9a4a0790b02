using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Oracle.Tests;

/// <summary>One case on a device against the oracle.</summary>
internal static class OracleComparison
{
    private const int Roundings = 4;

    /// <summary>fp32 and the case's bf16 recipe: the first step's gradients, then three steps.</summary>
    public static void Compare(OracleCase one, Func<Schedule, Workload, IDevice> open, Agreement agreement)
    {
        CompareFp32(one, open, agreement);
        CompareBf16(one, open, agreement);
    }

    /// <summary>The bounds of fp32, for each tensor.</summary>
    public static void CompareFp32(OracleCase one, Func<Schedule, Workload, IDevice> open, Agreement agreement)
    {
        var truth = TorchRun.Of(one, TorchRecipe.Float64, one.AdamW);
        var own = TorchRun.Of(one, TorchRecipe.Float32, one.AdamW);
        var got = EngineRun.Of(one, Recipe.Fp32, open);
        agreement.Hold("fp32 loss", one, "step 1", Off(got.Losses[0], truth.Losses[0]), 1e-6);
        if (got.FirstNorm is { } norm)
        {
            agreement.Hold("fp32 norm", one, "step 1", Off(norm, truth.Norms[0]), 1e-6);
        }

        for (int step = 1; step < OracleCase.Steps; step++)
        {
            double bound = Math.Max(1e-5, 3 * Off(own.Losses[step], truth.Losses[step]));
            agreement.Hold("fp32 later loss", one, $"step {step + 1}", Off(got.Losses[step], truth.Losses[step]), bound);
        }

        foreach (string name in truth.Gradients.Keys)
        {
            agreement.Hold("fp32 gradient", one, name, GradientError(got.Gradients, truth, name), 1e-5);
            double bound = Math.Max(1e-4, 3 * ChangeError(one, own.Trained, truth, name));
            agreement.Hold("fp32 training", one, name, ChangeError(one, got.Trained, truth, name), bound);
        }
    }

    /// <summary>
    /// Matrices one by one. A norm has so few numbers that the ratio of two rounding errors is chance: all norms of a case together.
    /// </summary>
    private static void CompareBf16(OracleCase one, Func<Schedule, Workload, IDevice> open, Agreement agreement)
    {
        var truth = TorchRun.Of(one, TorchRecipe.Float64, one.AdamWInBf16);
        var counterpart = TorchRecipe.Of(one.Bf16);
        TorchRun[] own =
        [
            .. Enumerable.Range(0, counterpart.RoundsStochastically ? Roundings : 1)
                .Select(seed => TorchRun.Of(one, counterpart, one.AdamWInBf16, seed)),
        ];
        var got = EngineRun.Of(one, one.Bf16, open);
        string recipe = one.Bf16.Name;
        agreement.Add($"{recipe} loss", Off(got.Losses[0], truth.Losses[0]), Off(own[0].Losses[0], truth.Losses[0]));
        string[] norms = [.. truth.Gradients.Keys.Where(n => one.Weights[n].Shape.Length == 1)];
        foreach (string[] names in truth.Gradients.Keys.Except(norms).Select(n => new[] { n }).Append(norms))
        {
            string what = names.Length == 1 ? names[0] : "norms";
            double Gradients(IReadOnlyDictionary<string, double[]> of) => RootMeanSquare(names.Select(n => GradientError(of, truth, n)));
            double Changes(IReadOnlyDictionary<string, double[]> of) => RootMeanSquare(names.Select(n => ChangeError(one, of, truth, n)));
            double change = RootMeanSquare(own.Select(o => Changes(o.Trained)));
            agreement.Hold($"{recipe} gradient", one, what, Gradients(got.Gradients), 2 * Gradients(own[0].Gradients));
            agreement.Hold($"{recipe} training", one, what, Changes(got.Trained), 2 * change);
        }
    }

    private static double GradientError(IReadOnlyDictionary<string, double[]> got, TorchRun truth, string name) =>
        Agreement.RelativeL2(got[name], truth.Gradients[name]);

    private static double ChangeError(OracleCase one, IReadOnlyDictionary<string, double[]> got, TorchRun truth, string name) =>
        Agreement.RelativeL2(got[name], truth.Trained[name], one.Weights[name].Values);

    private static double RootMeanSquare(IEnumerable<double> errors) => Math.Sqrt(errors.Average(e => e * e));

    private static double Off(double got, double want) => Math.Abs(got - want) / Math.Abs(want);
}
