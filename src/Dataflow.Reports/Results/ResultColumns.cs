using System.Globalization;

namespace Dataflow.Reports;

/// <summary>All columns of result files, in their order: the one place that knows their names.</summary>
public static class ResultColumns
{
    // Wider than anything that was ever measured, and narrow enough that no product or quotient of them overflows.
    private const double LeastReal = 1e-30, MostReal = 1e18;

    // The GPUs that hold a batch are a whole number too: of as many sequences on as many GPUs it still is one.
    private const long MostWhole = 1_000_000_000_000_000, MostSequences = 1_000_000_000_000, MostGpus = 1_000_000;

    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Published ones first, then ours, then those that may be added.</summary>
    public static IReadOnlyList<ResultColumn> All { get; } =
    [
        Text(ColumnGroup.Published, "machine", "machine", r => r.Machine, (r, v) => r with { Machine = v }),
        Real(ColumnGroup.Published, "host_mem_gb", "GiB", "host budget", r => r.HostGiB, (r, v) => r with { HostGiB = v }),
        Real(ColumnGroup.Published, "dev_mem_gb", "GiB", "device budget", r => r.DeviceGiB, (r, v) => r with { DeviceGiB = v }),
        Whole(ColumnGroup.Published, "seq_len", "tokens", "of a sequence", r => r.Seqlen, (r, v) => r with { Seqlen = v }, least: 1),
        Real(ColumnGroup.Published, "model_size", "10^9", "parameters", r => r.ModelSize, (r, v) => r with { ModelSize = v }),
        Real(
            ColumnGroup.Published,
            "used_host_mem_gb",
            "GiB",
            "host memory that the plan takes",
            r => r.UsedHostGiB,
            (r, v) => r with { UsedHostGiB = v }
        ),
        Real(
            ColumnGroup.Published,
            "used_dev_mem_gb",
            "GiB",
            "device memory that the plan takes",
            r => r.UsedDeviceGiB,
            (r, v) => r with { UsedDeviceGiB = v }
        ),
        Whole(ColumnGroup.Published, "chunk_size", "tokens", "of a chunk", r => r.ChunkTokens, (r, v) => r with { ChunkTokens = v }),
        Whole(
            ColumnGroup.Published,
            "total_home_acts",
            "",
            "pairs of layer and chunk of a round whose activations go to the host",
            r => r.HomeActivations,
            (r, v) => r with { HomeActivations = v }
        ),
        Whole(
            ColumnGroup.Published,
            "num_inp_only_saved",
            "",
            "of these, without attention's output",
            r => r.InputOnlySaved,
            (r, v) => r with { InputOnlySaved = v }
        ),
        Whole(
            ColumnGroup.Published,
            "num_inp_attn_saved",
            "",
            "of these, with attention's output, but not everything",
            r => r.AttentionSaved,
            (r, v) => r with { AttentionSaved = v }
        ),
        Whole(
            ColumnGroup.Published,
            "num_full_saved",
            "",
            "of these, with everything",
            r => r.FullSaved,
            (r, v) => r with { FullSaved = v }
        ),
        Whole(
            ColumnGroup.Published,
            "total_dev_acts",
            "",
            "pairs whose activations stay on the device",
            r => r.DeviceActivations,
            (r, v) => r with { DeviceActivations = v }
        ),
        Whole(ColumnGroup.Published, "num_rounds_per_step", "", "rounds", r => r.Rounds, (r, v) => r with { Rounds = v }),
        Whole(
            ColumnGroup.Published,
            "seqs_per_step",
            "",
            "sequences of a step, all GPUs together",
            r => r.SequencesPerStep,
            (r, v) => r with { SequencesPerStep = v },
            most: MostSequences
        ),
        Real(
            ColumnGroup.Published,
            "recompute_pct",
            "fraction",
            "recomputed, of model and recomputed FLOPs",
            r => r.RecomputeFraction,
            (r, v) => r with { RecomputeFraction = v }
        ),
        Real(
            ColumnGroup.Published,
            "attn_flop_pct",
            "fraction",
            "attention, of the same",
            r => r.AttentionFraction,
            (r, v) => r with { AttentionFraction = v }
        ),
        Real(ColumnGroup.Published, "avg_step_time", "s", "of a step", r => r.StepSeconds, (r, v) => r with { StepSeconds = v }),
        Real(
            ColumnGroup.Published,
            "tok_per_sec",
            "tok/s",
            "all GPUs together",
            r => r.TokensPerSecond,
            (r, v) => r with { TokensPerSecond = v }
        ),
        Real(ColumnGroup.Published, "tflops", "TFLOP/s", "model FLOPs, all GPUs together", r => r.Tflops, (r, v) => r with { Tflops = v }),
        Real(ColumnGroup.Published, "mfu", "fraction", "model FLOPs, of the dense peak", r => r.Mfu, (r, v) => r with { Mfu = v }),
        Real(
            ColumnGroup.Published,
            "hfu",
            "fraction",
            "model and recomputed FLOPs, of the dense peak",
            r => r.Hfu,
            (r, v) => r with { Hfu = v }
        ),
        Text(ColumnGroup.Own, "model", "model", r => r.Model, (r, v) => r with { Model = v }),
        new("source", ColumnGroup.Own, "", "simulated, measured or published")
        {
            Write = r => NameOf(r.Source),
            Read = (r, v) => Enum.GetValues<ResultSource>().Where(s => NameOf(s) == v).Select(s => r with { Source = s }).FirstOrDefault(),
            Expected = "simulated, measured or published",
        },
        Text(ColumnGroup.Own, "policy", "who planned", r => r.Policy, (r, v) => r with { Policy = v }),
        Text(ColumnGroup.Own, "plan_hash", "hash of the plan", r => r.PlanHash, (r, v) => r with { PlanHash = v }),
        Text(ColumnGroup.Own, "commit", "commit of the program", r => r.Commit, (r, v) => r with { Commit = v }),
        new("feasible", ColumnGroup.Own, "", "whether it ran, or would")
        {
            Write = r => r.Feasible ? "true" : "false",
            Read = (r, v) => v.ToLowerInvariant() switch
            {
                "true" or "1" or "yes" => r with { Feasible = true },
                "false" or "0" or "no" => r with { Feasible = false },
                _ => null,
            },
            Expected = "true or false",
        },
        Text(ColumnGroup.Own, "reason", "why not", r => r.Reason, (r, v) => r with { Reason = v }),
        Real(
            ColumnGroup.Own,
            "smallest_dev_gb",
            "GiB",
            "the least device memory that would do at this host budget",
            r => r.SmallestDeviceGiB,
            (r, v) => r with { SmallestDeviceGiB = v }
        ),
        Real(
            ColumnGroup.Own,
            "smallest_host_gb",
            "GiB",
            "the least host memory that would do at this device budget",
            r => r.SmallestHostGiB,
            (r, v) => r with { SmallestHostGiB = v }
        ),
        Real(
            ColumnGroup.Own,
            "predicted_tok_per_sec",
            "tok/s",
            "as simulated",
            r => r.PredictedTokensPerSecond,
            (r, v) => r with { PredictedTokensPerSecond = v }
        ),
        Real(
            ColumnGroup.Own,
            "measured_tok_per_sec",
            "tok/s",
            "as measured",
            r => r.MeasuredTokensPerSecond,
            (r, v) => r with { MeasuredTokensPerSecond = v }
        ),
        Real(
            ColumnGroup.Own,
            "host_peak_gb",
            "GiB",
            "physical host memory at its peak, measured",
            r => r.HostPeakGiB,
            (r, v) => r with { HostPeakGiB = v }
        ),
        Real(
            ColumnGroup.Own,
            "dev_peak_gb",
            "GiB",
            "physical device memory at its peak, measured",
            r => r.DevicePeakGiB,
            (r, v) => r with { DevicePeakGiB = v }
        ),
        Real(ColumnGroup.Own, "stall_pct", "%", "of a step, compute waits", r => r.StallPercent, (r, v) => r with { StallPercent = v }),
        Real(ColumnGroup.Own, "h2d_gb", "GB", "10^9 bytes to the device in a step", r => r.ToDeviceGB, (r, v) => r with { ToDeviceGB = v }),
        Real(ColumnGroup.Own, "d2h_gb", "GB", "10^9 bytes to the host in a step", r => r.ToHostGB, (r, v) => r with { ToHostGB = v }),
        Text(ColumnGroup.Own, "hardware", "hardware profile", r => r.Hardware, (r, v) => r with { Hardware = v }),
        Text(ColumnGroup.Own, "dtype", "how numbers are stored", r => r.Dtype, (r, v) => r with { Dtype = v }),
        Text(ColumnGroup.Own, "standing", "what predicted figures rest on", r => r.Standing, (r, v) => r with { Standing = v }),
        Text(ColumnGroup.Extra, "system", "the program, where it is another one", r => r.System, (r, v) => r with { System = v }),
        Whole(
            ColumnGroup.Extra,
            "gpus",
            "",
            "GPUs of the run, all nodes together",
            r => r.Gpus,
            (r, v) => r with { Gpus = v },
            least: 1,
            most: MostGpus
        ),
        Whole(ColumnGroup.Extra, "nodes", "", "nodes of the run", r => r.Nodes, (r, v) => r with { Nodes = v }, least: 1, most: MostGpus),
        Whole(
            ColumnGroup.Extra,
            "seqs_at_once",
            "",
            "sequences that these GPUs hold at once",
            r => r.SequencesAtOnce,
            (r, v) => r with { SequencesAtOnce = v },
            least: 1
        ),
        Real(
            ColumnGroup.Extra,
            "gflop_per_token",
            "10^9 FLOPs",
            "model FLOPs a token, as the file counts them",
            r => r.GflopPerToken,
            (r, v) => r with { GflopPerToken = v }
        ),
        Real(ColumnGroup.Extra, "peak_tflops", "TFLOP/s", "dense peak of one GPU", r => r.PeakTflops, (r, v) => r with { PeakTflops = v }),
        Real(ColumnGroup.Extra, "steps_per_sec", "1/s", "steps a second", r => r.StepsPerSecond, (r, v) => r with { StepsPerSecond = v }),
    ];

    /// <summary>Those of the published reference system.</summary>
    public static IReadOnlyList<ResultColumn> Published { get; } = [.. All.Where(c => c.Group == ColumnGroup.Published)];

    /// <summary>Those of a result file of this program.</summary>
    public static IReadOnlyList<ResultColumn> OfThisProgram { get; } = [.. All.Where(c => c.Group != ColumnGroup.Extra)];

    /// <summary>The one of that name; null if there is none.</summary>
    public static ResultColumn? Find(string name) => All.FirstOrDefault(c => c.Name == name);

    /// <summary>"simulated".</summary>
    public static string NameOf(ResultSource source) => source switch
    {
        ResultSource.Simulated => "simulated",
        ResultSource.Measured => "measured",
        ResultSource.Published => "published",
        _ => throw new ArgumentOutOfRangeException(nameof(source), source, "no source"),
    };

    private static ResultColumn Text(
        ColumnGroup group,
        string name,
        string meaning,
        Func<ResultRow, string?> get,
        Func<ResultRow, string, ResultRow> set
    ) =>
        new(name, group, "", meaning)
        {
            Write = r => SpreadsheetText.Escape(get(r) ?? ""),
            Read = (r, v) => set(r, SpreadsheetText.Unescape(v)),
            Expected = "a text",
        };

    private static ResultColumn Real(
        ColumnGroup group,
        string name,
        string unit,
        string meaning,
        Func<ResultRow, double?> get,
        Func<ResultRow, double, ResultRow> set
    ) =>
        new(name, group, unit, meaning)
        {
            Write = r => get(r)?.ToString("R", Invariant) ?? "",
            Read = (r, v) =>
                double.TryParse(v, NumberStyles.Float, Invariant, out double number) && number is 0 or (>= LeastReal and <= MostReal)
                    ? set(r, number)
                    : null,
            Expected = "0 or a number from 1e-30 to 1e18",
        };

    private static ResultColumn Whole(
        ColumnGroup group,
        string name,
        string unit,
        string meaning,
        Func<ResultRow, long?> get,
        Func<ResultRow, long, ResultRow> set,
        long least = 0,
        long most = MostWhole
    ) =>
        new(name, group, unit, meaning)
        {
            Write = r => get(r)?.ToString(Invariant) ?? "",
            Read = (r, v) =>
                double.TryParse(v, NumberStyles.Float, Invariant, out double number)
                && number >= least
                && number <= most
                && number == Math.Floor(number)
                    ? set(r, (long)number)
                    : null,
            Expected = string.Create(Invariant, $"a whole number from {least} to {most:0e0}"),
        };
}
