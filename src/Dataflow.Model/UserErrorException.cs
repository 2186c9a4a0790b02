namespace Dataflow.Model;

/// <summary>
/// Something the user gave cannot be used. The message is one clear sentence (or a list of faults in one): what was found, what was
/// expected, what to do. The command line prints it as it is and exits with 2. Faults of the program itself use other exceptions.
/// </summary>
public sealed class UserErrorException(string message) : Exception(message);
