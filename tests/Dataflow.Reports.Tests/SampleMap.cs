using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>Maps with figures that follow from their budgets, so that tests know each cell's.</summary>
internal static class SampleMap
{
    public static readonly double[] Hosts = [32, 64, 96, 128, 160, 192];
    public static readonly double[] Devices = [8, 16, 24, 40, 80];

    /// <summary>Below 64 GiB in all nothing fits.</summary>
    public static bool Fits(double host, double device) => host + device >= 64;

    /// <summary>tok/s.</summary>
    public static double Tokens(double host, double device) => (100 * device) + (7 * host) + 0.25;

    public static Heatmap Make(
        string name = "predicted, policy auto",
        double factor = 1,
        ResultSource source = ResultSource.Simulated,
        string? timeline = null
    ) => new(name, "h100-sxm", "8b", 8192, [.. Devices.SelectMany(d => Hosts.Select(h => Cell(h, d, factor, source, timeline)))]);

    private static HeatmapCell Cell(double host, double device, double factor, ResultSource source, string? timeline) => Fits(host, device)
        ? new(host, device, source)
        {
            TokensPerSecond = Tokens(host, device) * factor,
            TeraflopsPerSecond = Tokens(host, device) * factor * 0.045,
            Mfu = Tokens(host, device) * factor * 0.045 / 989,
            Hfu = Tokens(host, device) * factor * 0.05 / 989,
            Plan = $"parameters of 16 layers stay, 16 travel\nsaves <all> for {device} GiB",
            Timeline = timeline,
        }
        : new(host, device, source) { Infeasible = $"needs {64 - device} GiB of host memory & <more>" };
}
