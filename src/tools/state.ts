/** The state that tools share with the application of a run's caller: its place in the user context, and the event of its changes. */
export const STATE = 'agui_state'
