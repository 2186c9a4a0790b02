using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A checkpoint could not be saved (a full disk, for example). Nothing of it remains, every older checkpoint is as it was, and training can
/// go on and save later. The command line exits with 1 if it ends with that.
/// </summary>
public sealed class SaveFailedException(string message) : MachineException(message);
