namespace Dataflow.Cuda;

/// <summary>What a release of cuDNN takes of other libraries, and does not say where it is missing.</summary>
internal static class CudnnNeeds
{
    /// <summary>Why a release would find no attention; null where nothing is missing.</summary>
    /// <param name="release">The one that is loaded.</param>
    /// <param name="compilerLack">Why NVRTC cannot be loaded; null where it can.</param>
    public static string? Lack(Version release, string? compilerLack) =>
        compilerLack is not null && release < new Version(9, 21)
            ? $"cuDNN {release} compiles its attention by NVRTC, and without it finds none and says nothing: {compilerLack}"
            : null;
}
