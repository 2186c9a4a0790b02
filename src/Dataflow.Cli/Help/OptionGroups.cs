using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>Which options a first run has no use for: --help lists them apart.</summary>
internal static class OptionGroups
{
    private static readonly HashSet<string> s_advanced =
    [
        // The geometry, which the planner chooses well.
        "--chunk", "--chunks-per-round", "--rounds", "--vocabulary-blocks", "--head-tokens", "--save-set", "--attention",
        "--policy", "--no-cache", "--deterministic",

        // The optimizer beyond its learning rate.
        "--beta1", "--beta2", "--eps", "--momentum", "--nesterov", "--weight-decay", "--match-rms", "--ns-steps", "--ns-a", "--ns-b",
        "--ns-c", "--step-power", "--rate-power", "--schedule-options", "--group", "--no-decay",
        "--on-non-finite", "--watch", "--rollback-spike", "--histograms",

        // What becomes of data, which has defaults that most want.
        "--format", "--documents", "--field", "--template", "--end", "--now", "--untrained", "--pack", "--overlong", "--shuffle",
        "--id-type",

        // Looking inside.
        "--threads",
        "--interleaving",
        "--cuda-graphs",
        "--trace",
        "--trace-steps",
        "--profile-steps",
        "--page",
        "--over-time",
        "--ops",
        "--layer",
        "--chunk-index",
        "--hashes",
        "--note",
        // Other people's files and figures.
        "--columns", "--peak", "--efficiency", "--nodes", "--title", "--grace", "--overwrite", "--export-dtype", "--export-shard",
    ];

    /// <summary>Whether it is of adapters.</summary>
    public static bool IsOfAdapters(Option option) =>
        option.Name is "--adapter" or "--base-weights" or "--merge" || option.Name.StartsWith("--lora-", StringComparison.Ordinal);

    /// <summary>Whether it is of pairs of answers.</summary>
    public static bool IsOfPreferences(Option option) =>
        option.Name is "--pairs" or "--nll-share" or "--reference" || option.Name.StartsWith("--preference-", StringComparison.Ordinal);

    /// <summary>Whether it is one of them.</summary>
    public static bool IsAdvanced(Option option) => s_advanced.Contains(option.Name);
}
