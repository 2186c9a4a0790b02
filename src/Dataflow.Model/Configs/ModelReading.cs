namespace Dataflow.Model;

/// <summary>A config, and what its reader should know.</summary>
/// <param name="Config">The dimensions.</param>
/// <param name="Notes">Sentences for whoever uses the model at all: keys of the file that nobody knows.</param>
/// <param name="TrainingNotes">Sentences for whoever trains it: what the file asks for and training does not do.</param>
public sealed record ModelReading(ModelConfig Config, IReadOnlyList<string> Notes, IReadOnlyList<string> TrainingNotes);
