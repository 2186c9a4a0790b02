namespace Dataflow.Model;

/// <summary>GPUs for which cuDNN has the same attention kernels.</summary>
public enum CudnnFamily
{
    /// <summary>8.0, 8.6, 8.9.</summary>
    Ampere,

    /// <summary>9.0.</summary>
    Hopper,

    /// <summary>10.0 and 10.3.</summary>
    DatacenterBlackwell,

    /// <summary>12.0 and 12.1.</summary>
    Blackwell,

    /// <summary>Any other.</summary>
    Other,
}

/// <summary>A release of cuDNN on a kind of GPU.</summary>
/// <param name="Library">Such as 9.28.1.</param>
/// <param name="Gpu">What the GPU is.</param>
public readonly record struct CudnnTarget(Version Library, ComputeCapability Gpu)
{
    /// <summary>The oldest release that took these graphs when they were planned without a GPU.</summary>
    public static Version Oldest { get; } = new(9, 10, 2);

    /// <summary>The newest release that did.</summary>
    public static Version Newest { get; } = new(9, 28, 1);

    /// <summary>Which kernels it has.</summary>
    public CudnnFamily Family => (Gpu.Major, Gpu.Minor) switch
    {
        (8, _) => CudnnFamily.Ampere,
        (9, 0) => CudnnFamily.Hopper,
        (10, 0 or 3) => CudnnFamily.DatacenterBlackwell,
        (12, _) => CudnnFamily.Blackwell,
        _ => CudnnFamily.Other,
    };

    /// <summary>"sm90".</summary>
    public string Architecture => $"sm{Gpu.Major}{Gpu.Minor}";

    /// <summary>Whether the release is that one or a later one.</summary>
    public bool Since(int minor, int patch = 0) => Library >= new Version(9, minor, patch);

    /// <summary>"9.28.1 sm90".</summary>
    public override string ToString() => $"{Library} {Architecture}";

    /// <summary>What <see cref="ToString"/> says; null where a text is nothing like it.</summary>
    public static CudnnTarget? Parse(string text)
    {
        string[] parts = text.Split(" sm");
        return parts is [var release, var gpu] && Version.TryParse(release, out var library) && library.Build >= 0
            && int.TryParse(gpu, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number)
            && new CudnnTarget(library, new(number / 10, number % 10)) is var target && target.ToString() == text
            ? target
            : null;
    }

    /// <summary>The release that <c>cudnnGetVersion</c> names: major times 10000, minor times 100 and patch.</summary>
    public static Version ReleaseOf(long number) =>
        new((int)(number / 10000), (int)(number % 10000 / 100), (int)(number % 100));
}
