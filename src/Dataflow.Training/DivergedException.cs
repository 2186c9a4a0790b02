namespace Dataflow.Training;

/// <summary>The loss is no longer a number: the run cannot go on, though nothing that was given is wrong in itself.</summary>
public sealed class DivergedException(string message) : Exception(message);
