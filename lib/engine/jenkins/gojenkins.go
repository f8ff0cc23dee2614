package jenkins

// What is used of gojenkins v1.2.0, and what is not, and why. Everything goes through requester, which is a
// gojenkins.JenkinsRequester: it repairs in one place what gojenkins's own lacks, which is a time limit, the look at
// the status, the escaping, crumbs, and a client that no proxy of the environment gets hold of.
//
// Used as they are: the types Jenkins, Job, View, BuildResponse and JenkinsRequester; Job.Enable, Job.Disable,
// Job.Delete, Job.GetConfig, View.AddJob.
//
// Replaced by a call on the same requester:
//
//	Jenkins.Init                     asks for every job of the controller; its loggers write to standard output
//	Requester.SetCrumb               dereferences a nil answer when Jenkins is down; asks a wrong address, so it never has a crumb
//	Jenkins.CreateJob, Job.Create    ask for the whole job afterwards, and for it only to drop the answer
//	Job.UpdateConfig                 likewise
//	Jenkins.CreateView               knows no pattern
//	Jenkins.GetJob, Job.Poll         ask for everything that is known of a job
//	Job.InvokeSimple                 three requests for one start; says ticket 0 and no error where a start waits already
//	Jenkins.GetBuildFromQueueID      asks until there is a build, whatever the context says
//	Job.GetBuild                     takes addresses from the answer, which are those of Jenkins's own configuration
//	Build.StopRequested                       says that it has stopped a build that is not there
//	Build.IsRunning, Job.IsRunning   say no when the question could not be asked
//	Build.GetConsoleOutput…          no offset for the next part; an error page is taken for a log
//	Artifact.GetData, Save…          hold the whole file in memory
//	Queue.CancelTask, Task.Cancel    crash on an id that is not there; take 204 for a failure; need the whole queue before
//	Jenkins.GetAllNodes              asks for all that is known of all agents
