using System.Collections.Immutable;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>The streams of a step: compute, then one for each direction of each link between its tiers.</summary>
public static class StepStreams
{
    /// <summary>Index of the stream of all ops but copies.</summary>
    public const int Compute = 0;

    /// <summary>Names of the streams of a step that uses so many tiers: "compute", "h2d", "d2h".</summary>
    public static ImmutableArray<string> Of(int tiers) => ["compute", .. LinkDirection.Among(tiers).Select(NameOf)];

    /// <summary>Index of the stream of copies in a direction.</summary>
    public static int Of(LinkDirection direction) => Compute + 1 + direction.Index;

    /// <summary>In which direction a stream copies that is not compute.</summary>
    public static LinkDirection DirectionOf(int stream) => new(stream - Compute - 1);

    /// <summary>"h2d": from host to device.</summary>
    public static string NameOf(LinkDirection direction) => $"{direction.Source.Name[0]}2{direction.Target.Name[0]}";
}
