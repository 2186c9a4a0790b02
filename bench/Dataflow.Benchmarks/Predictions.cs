using Dataflow.Model;
using Dataflow.Simulation;

namespace Dataflow.Benchmarks;

/// <summary>
/// Steps of models/micro.json on this CPU under three budgets and with every optimizer: what the simulator says after calibration, and
/// what they take. Steps of the cases of calibration and these take turns one by one, so that what else the machine does meets both alike.
/// </summary>
internal static class Predictions
{
    private const int ShortRounds = 40;
    private const int LongRounds = 160;
    private const double SecondsOfLinks = 6;

    /// <summary>The table.</summary>
    /// <param name="patient">More rounds, for a machine that others use: their work comes and goes, and means of few steps with it.</param>
    public static Result Measure(bool patient)
    {
        int rounds = patient ? LongRounds : ShortRounds;
        using var source = ModelSource.Open("micro");
        var device = DeviceOptions.Cpu;
        var calibration = new Calibration(device, Recipe.Fp32, SecondsOfLinks * 5);
        var runs = PredictionCase.Budgets.Concat(PredictionCase.Optimizers)
            .Select(what => new PredictionRun(what, source.Model, device))
            .ToList();
        var cases = CalibrationCase.Cpu.Select(c => CaseRun.Open(c, device, Recipe.Fp32)!).ToList();
        string load = CalibratedProfile.Load();
        var measured = new MachineMeasurement { Link = calibration.Links() };
        for (int round = 0; round < rounds; round++)
        {
            // All of both in each round, each time in another order.
            for (int c = 0; c < cases.Count; c++)
            {
                cases[(c + round) % cases.Count].Measure(measured.Kernels);
                for (int r = runs.Count * c / cases.Count; r < runs.Count * (c + 1) / cases.Count; r++)
                {
                    runs[(r + round) % runs.Count].Turn();
                }
            }

            Console.Error.WriteLine($"round {round + 1} of {rounds}, load average {CalibratedProfile.Load()}");
        }

        var profile = CalibratedProfile.Of(measured, calibration, CalibratedProfile.Conditions(device, load));
        var quiet = profile with
        {
            Kernels = measured.Kernels.Rates(DType.Float32, "the shortest of all samples", measured.Link.Launch, SampleStatistic.Least),
        };
        var rows = runs.Select(r => r.Row(profile, quiet)).ToList();
        runs.ForEach(r => r.Dispose());
        cases.ForEach(c => c.Dispose());
        return new Result(
            "Predicted and measured steps on this CPU",
            $"models/micro.json, rows of {PredictionCase.Seqlen} tokens, fp32: three budgets with AdamW, and every optimizer under the "
                + $"middle budget with a step of one row, of which updates are a good part. The steps that `dataflow calibrate` measures "
                + $"kernel by kernel and these took turns, {rounds} rounds "
                + $"({measured.Kernels.Count:N0} kernels measured). Predicted: the simulator with the rates of all rounds, which are "
                + $"means; measured: the mean of all such steps, and their median; a turn is one step of {PredictionCase.MostRows} rows or "
                + $"{PredictionCase.MostRows} steps of one, one after another as training takes them. "
                + $"Within: mean and prediction differ by at most {PredictionRun.Bound:P0}. Shortest: the same with every kernel "
                + $"and every op at the shortest of all its runs, "
                + "closer to an idle machine; an op is longer than a kernel and is left undisturbed less often, so that on a busy machine "
                + "this ratio is too high. Updates: those of the step's ops that update weights, together.",
            PredictionRun.Columns,
            rows
        );
    }
}
