namespace Dataflow.Oracle.Tests;

/// <summary>The optimizer's settings as decimals, as a user writes them.</summary>
public readonly record struct AdamWNumbers(double Rate, double Beta1, double Beta2, double Epsilon, double Decay);
