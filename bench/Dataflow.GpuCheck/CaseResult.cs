using System.Text.Json.Nodes;

namespace Dataflow.GpuCheck;

/// <summary>What became of a case.</summary>
internal enum Verdict
{
    /// <summary>As it should be.</summary>
    Passed,

    /// <summary>Wrong, or it broke.</summary>
    Failed,

    /// <summary>Measured, and less than the mark it is held to.</summary>
    Below,

    /// <summary>What it needs is not here: nothing is known.</summary>
    Missing,

    /// <summary>Its time was over: nothing is known.</summary>
    OutOfTime,
}

/// <summary>One case's result.</summary>
/// <param name="Detail">A line for people.</param>
/// <param name="Figures">The same for machines, and what else was measured.</param>
internal sealed record CaseResult(Verdict Verdict, string Detail, JsonObject? Figures = null)
{
    /// <summary>Whether there is no more to be learnt by running it again.</summary>
    public bool IsFinal => Verdict is not (Verdict.OutOfTime or Verdict.Missing);

    /// <summary>A verdict from whether all is well.</summary>
    public static CaseResult Of(bool good, string detail, JsonObject? figures = null) =>
        new(good ? Verdict.Passed : Verdict.Failed, detail, figures);

    /// <summary>As it goes from a case's process to the one that asked for it.</summary>
    public JsonObject ToJson() => new() { ["verdict"] = Verdict.ToString(), ["detail"] = Detail, ["figures"] = Figures?.DeepClone() };

    /// <summary>The other way.</summary>
    public static CaseResult FromJson(JsonObject json) => new(
        Enum.Parse<Verdict>((string)json["verdict"]!), (string)json["detail"]!, json["figures"]?.DeepClone() as JsonObject);
}
