using Dataflow.Model;

namespace Dataflow.Planning;

/// <summary>
/// In which tier an object has its home, if it ever leaves the device. What the runtime writes and reads has it on the host; the memory
/// that homes take there is counted by <see cref="MemorySizes"/>.
/// </summary>
internal static class HomeRule
{
    /// <summary>The host, for all.</summary>
    public static MemoryTier TierOf(StepObject item) => MemoryTier.Host;
}
