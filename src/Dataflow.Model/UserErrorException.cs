namespace Dataflow.Model;

/// <summary>
/// Something the user gave cannot be used. The message is one clear sentence (or a list of faults in one): what was found, what was
/// expected, what to do. The command line prints it as it is and exits with 2. Faults of the program itself use other exceptions.
/// </summary>
public class UserErrorException(string message) : Exception(message);

/// <summary>
/// This machine lacks something, or refused it: a driver, a library, free memory, a right. As clear a sentence; what was asked for is
/// right and would do elsewhere, so the command line exits with 1.
/// </summary>
public class MachineException(string message) : UserErrorException(message);
