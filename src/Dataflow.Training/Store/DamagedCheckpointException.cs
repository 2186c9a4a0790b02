using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// A checkpoint is not what was saved: a bit flipped, a file cut, exchanged, missing or added. The message says what, in a phrase.
/// </summary>
internal sealed class DamagedCheckpointException(string message) : UserErrorException(message);
