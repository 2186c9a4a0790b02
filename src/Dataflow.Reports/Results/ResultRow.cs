namespace Dataflow.Reports;

/// <summary>
/// One configuration and what it did: a row of a result file. What a file does not say is null. GiB are 2^30 bytes; rates of several GPUs
/// are of all of them together.
/// </summary>
public sealed record ResultRow
{
    /// <summary>The file that it comes from, as it was named; empty if none.</summary>
    public string File { get; init; } = "";

    /// <summary>Its line there, the head being line 1; 0 if it comes from no file.</summary>
    public int Line { get; init; }

    /// <summary>Machine, as the file calls it.</summary>
    public string? Machine { get; init; }

    /// <summary>Host budget, GiB.</summary>
    public double? HostGiB { get; init; }

    /// <summary>Device budget, GiB.</summary>
    public double? DeviceGiB { get; init; }

    /// <summary>Tokens of a sequence.</summary>
    public long? Seqlen { get; init; }

    /// <summary>Billions of parameters.</summary>
    public double? ModelSize { get; init; }

    /// <summary>Host memory that the plan takes, GiB.</summary>
    public double? UsedHostGiB { get; init; }

    /// <summary>Device memory that the plan takes, GiB.</summary>
    public double? UsedDeviceGiB { get; init; }

    /// <summary>Tokens of a chunk.</summary>
    public long? ChunkTokens { get; init; }

    /// <summary>Pairs of layer and chunk of a round whose activations go to the host.</summary>
    public long? HomeActivations { get; init; }

    /// <summary>Of these, those that keep neither attention's output nor more.</summary>
    public long? InputOnlySaved { get; init; }

    /// <summary>Of these, those that keep attention's output, but not everything.</summary>
    public long? AttentionSaved { get; init; }

    /// <summary>Of these, those that keep everything.</summary>
    public long? FullSaved { get; init; }

    /// <summary>Pairs of layer and chunk of a round whose activations never leave the device.</summary>
    public long? DeviceActivations { get; init; }

    /// <summary>Rounds of a step.</summary>
    public long? Rounds { get; init; }

    /// <summary>Sequences of a step: the global batch.</summary>
    public long? SequencesPerStep { get; init; }

    /// <summary>What is recomputed, as a fraction of model and recomputed FLOPs.</summary>
    public double? RecomputeFraction { get; init; }

    /// <summary>Attention, recomputed or not, as a fraction of the same.</summary>
    public double? AttentionFraction { get; init; }

    /// <summary>Seconds of a step.</summary>
    public double? StepSeconds { get; init; }

    /// <summary>Tokens a second.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>10^12 model FLOPs a second.</summary>
    public double? Tflops { get; init; }

    /// <summary>Model FLOPs utilization, a fraction.</summary>
    public double? Mfu { get; init; }

    /// <summary>Hardware FLOPs utilization, a fraction.</summary>
    public double? Hfu { get; init; }

    /// <summary>Model by name.</summary>
    public string? Model { get; init; }

    /// <summary>Where the numbers come from.</summary>
    public ResultSource Source { get; init; } = ResultSource.Measured;

    /// <summary>Who planned.</summary>
    public string? Policy { get; init; }

    /// <summary>Hash of the plan.</summary>
    public string? PlanHash { get; init; }

    /// <summary>Commit of the program.</summary>
    public string? Commit { get; init; }

    /// <summary>Whether it ran, or would.</summary>
    public bool Feasible { get; init; } = true;

    /// <summary>Why not.</summary>
    public string? Reason { get; init; }

    /// <summary>The least device memory that would do at this host budget, GiB.</summary>
    public double? SmallestDeviceGiB { get; init; }

    /// <summary>The least host memory that would do at this device budget, GiB.</summary>
    public double? SmallestHostGiB { get; init; }

    /// <summary>Predicted tokens a second.</summary>
    public double? PredictedTokensPerSecond { get; init; }

    /// <summary>Measured tokens a second.</summary>
    public double? MeasuredTokensPerSecond { get; init; }

    /// <summary>Physical host memory of the process at its peak, GiB.</summary>
    public double? HostPeakGiB { get; init; }

    /// <summary>Physical device memory at its peak, GiB.</summary>
    public double? DevicePeakGiB { get; init; }

    /// <summary>Of a step, what compute waits, percent.</summary>
    public double? StallPercent { get; init; }

    /// <summary>10^9 bytes to the device in a step.</summary>
    public double? ToDeviceGB { get; init; }

    /// <summary>10^9 bytes to the host in a step.</summary>
    public double? ToHostGB { get; init; }

    /// <summary>Hardware profile.</summary>
    public string? Hardware { get; init; }

    /// <summary>
    /// What predicted figures rest on: measured, fitted, borrowed or assumed rates, and budgets that the machine does not have.
    /// </summary>
    public string? Standing { get; init; }

    /// <summary>How numbers are stored.</summary>
    public string? Dtype { get; init; }

    /// <summary>The program that ran, where it is another than this one.</summary>
    public string? System { get; init; }

    /// <summary>GPUs of the run, all nodes together.</summary>
    public long? Gpus { get; init; }

    /// <summary>Nodes of the run.</summary>
    public long? Nodes { get; init; }

    /// <summary>Sequences that these GPUs hold at once.</summary>
    public long? SequencesAtOnce { get; init; }

    /// <summary>10^9 model FLOPs a token, where the file states its own count.</summary>
    public double? GflopPerToken { get; init; }

    /// <summary>Dense peak of one GPU, 10^12 FLOPs a second.</summary>
    public double? PeakTflops { get; init; }

    /// <summary>Steps a second.</summary>
    public double? StepsPerSecond { get; init; }

    /// <summary>"results.csv, line 7".</summary>
    public string Place => $"{File}, line {Line}";

    /// <summary>"H100 8b at seqlen 8192, host 75 GiB, device 24 GiB": what is known of these.</summary>
    public string Cell =>
        string.Join(
            ", ",
            new[]
            {
                $"{Machine} {Model}{(Seqlen is { } s ? $" at seqlen {s}" : "")}".Trim(),
                HostGiB is { } h ? $"host {h} GiB" : "",
                DeviceGiB is { } d ? $"device {d} GiB" : "",
            }.Where(t => t.Length > 0)
        );
}
