namespace Dataflow.Training;

/// <summary>What becomes of a training step whose loss or gradients are not finite.</summary>
public enum NonFiniteSteps
{
    /// <summary>It ends the run. Where gradients are clipped, weights and optimizer state are those of the step before.</summary>
    Stop,

    /// <summary>
    /// It leaves weights and optimizer state as they are, bit for bit, and the run goes on with the next rows. It counts among the steps
    /// (its number, its rows and its learning rate are used up), and not among the updates, which bias corrections and random bits go by.
    /// Only where gradients are clipped.
    /// </summary>
    Skip,
}
